import type { Migration } from './migration.ts';

/** What each head was trained on and why not on something faster; NULL for heads kept before it was noted. */
export const headDevices: Migration = {
  version: 6,
  readableFrom: 5,
  sql: 'ALTER TABLE study_head ADD COLUMN trained_on_json TEXT;',
};
