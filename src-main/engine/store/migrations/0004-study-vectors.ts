import type { Migration } from './migration.ts';

/** The slides of a study as one vector each, so that an unseen slide can be compared with them after their features are gone. */
export const studyVectors: Migration = {
  version: 4,
  readableFrom: 1,
  sql: `
CREATE TABLE study_vectors (
  study_id TEXT PRIMARY KEY REFERENCES study (id) ON DELETE CASCADE,
  dim INTEGER NOT NULL,
  vectors BLOB NOT NULL,
  vectors_crc32 INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
};
