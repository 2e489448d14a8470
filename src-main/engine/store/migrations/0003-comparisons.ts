import type { Migration } from './migration.ts';

/**
 * Comparisons of backbones on patch tasks: what made them and what came out as JSON, the images of their tasks, and
 * what stands behind every score. Paths lie apart: they never leave the engine.
 */
export const comparisons: Migration = {
  version: 3,
  readableFrom: 1,
  sql: `
CREATE TABLE comparison (
  id TEXT PRIMARY KEY,
  created_at_ms REAL NOT NULL,
  entry_json TEXT NOT NULL,
  paths_json TEXT NOT NULL,
  result_json TEXT
) STRICT;
CREATE INDEX comparison_by_created ON comparison (created_at_ms);

CREATE TABLE comparison_task (
  comparison_id TEXT NOT NULL REFERENCES comparison (id) ON DELETE CASCADE,
  task TEXT NOT NULL,
  images_json TEXT NOT NULL,
  PRIMARY KEY (comparison_id, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE comparison_cell (
  comparison_id TEXT NOT NULL REFERENCES comparison (id) ON DELETE CASCADE,
  task TEXT NOT NULL,
  backbone TEXT NOT NULL,
  cut TEXT NOT NULL,
  cell_json TEXT NOT NULL,
  PRIMARY KEY (comparison_id, task, backbone, cut)
) STRICT, WITHOUT ROWID;
`,
};
