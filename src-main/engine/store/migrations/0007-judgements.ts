import type { Migration } from './migration.ts';

/**
 * What the heads of a study say of the tiles of a run, with the hash of all that made it: the views of an attention map
 * are drawn from it. Maps of attention that older versions kept do not say which heads they are of, and go.
 */
export const judgements: Migration = {
  version: 7,
  readableFrom: 5,
  sql: `
CREATE TABLE judgement (
  run_key INTEGER NOT NULL REFERENCES run (run_key) ON DELETE CASCADE,
  study_id TEXT NOT NULL REFERENCES study (id) ON DELETE CASCADE,
  made_by TEXT NOT NULL,
  facts_json TEXT NOT NULL,
  value_bytes INTEGER NOT NULL,
  tile_values BLOB NOT NULL,
  tile_values_crc32 INTEGER NOT NULL,
  PRIMARY KEY (run_key, study_id)
) STRICT;
CREATE INDEX judgement_sizes ON judgement (run_key, value_bytes);
CREATE INDEX judgement_studies ON judgement (study_id);
DELETE FROM map WHERE json_extract(spec_json, '$.kind') = 'attention';
`,
};
