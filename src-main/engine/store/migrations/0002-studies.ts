import type { Migration } from './migration.ts';

/** Studies with their outcome, and the heads trained in them: one per fold and seed, weights as one blob. */
export const studies: Migration = {
  version: 2,
  readableFrom: 1,
  sql: `
CREATE TABLE study (
  id TEXT PRIMARY KEY,
  created_at_ms REAL NOT NULL,
  study_json TEXT NOT NULL
) STRICT;
CREATE INDEX study_by_created ON study (created_at_ms);

CREATE TABLE study_head (
  study_id TEXT NOT NULL REFERENCES study (id) ON DELETE CASCADE,
  fold INTEGER NOT NULL,
  seed INTEGER NOT NULL,
  spec_json TEXT NOT NULL,
  best_epoch INTEGER NOT NULL,
  history_json TEXT NOT NULL,
  weights BLOB NOT NULL,
  weights_crc32 INTEGER NOT NULL,
  PRIMARY KEY (study_id, fold, seed)
) STRICT, WITHOUT ROWID;
`,
};
