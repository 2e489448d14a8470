import type { Database } from 'better-sqlite3';
import type { Migration } from './migrations/migration.ts';

/** The version of a store's schema; 0 = an empty file. */
export function schemaVersionOf(db: Database): number {
  return Number(db.pragma('user_version', { simple: true }));
}

/**
 * Brings a store to the newest version, one transaction a step, so that a kill in between leaves it at a whole version.
 * `beforeStep` is called ahead of each step with the version that is about to change, outside any transaction.
 * @returns the versions that were applied
 */
export function migrate(
  db: Database,
  migrations: readonly Migration[],
  beforeStep: (version: number) => void,
): readonly number[] {
  const due = migrations.filter(({ version }) => version > schemaVersionOf(db));
  for (const { version, readableFrom, sql } of due) {
    beforeStep(schemaVersionOf(db));
    db.transaction(() => {
      db.exec(sql);
      db.exec('CREATE TABLE IF NOT EXISTS schema_fact (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT');
      db.prepare(
        `INSERT INTO schema_fact (key, value) VALUES ('readable_from', ?)
          ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)`,
      ).run(readableFrom);
      db.pragma(`user_version = ${version}`);
    }).exclusive();
  }
  return due.map(({ version }) => version);
}

/** The oldest schema version an app may know and still read this store. */
export function readableFromOf(db: Database): number {
  const row = db.prepare<[], { value: number }>("SELECT value FROM schema_fact WHERE key = 'readable_from'").get();
  return row?.value ?? Number.POSITIVE_INFINITY;
}
