import type { Migration } from './migration.ts';

/**
 * Times are milliseconds since 1970. Ids are text as the contracts have them; runs carry an integer key besides,
 * because every chunk repeats it. Numbers in blobs are little-endian. `feature_bytes` and `value_bytes` repeat what
 * the blobs say, so that sizes are shown without reading blobs. `run.backbone_id` refers to nothing on purpose:
 * results outlive the backbone that made them.
 */
export const first: Migration = {
  version: 1,
  readableFrom: 1,
  sql: `
CREATE TABLE slide (
  id TEXT PRIMARY KEY,
  path TEXT NOT NULL,
  name TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  mtime_ms REAL NOT NULL,
  info_json TEXT NOT NULL,
  user_mpp_um REAL,
  opened_at_ms REAL NOT NULL,
  is_demo INTEGER NOT NULL
) STRICT;
CREATE INDEX slide_by_opened ON slide (opened_at_ms);

CREATE TABLE backbone (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  file_name TEXT NOT NULL,
  card_json TEXT NOT NULL
) STRICT;
CREATE INDEX backbone_by_name ON backbone (name);

CREATE TABLE grid (
  id TEXT PRIMARY KEY,
  slide_id TEXT NOT NULL REFERENCES slide (id) ON DELETE CASCADE,
  tile_count INTEGER NOT NULL,
  grid_json TEXT NOT NULL,
  tile_columns BLOB NOT NULL,
  tile_rows BLOB NOT NULL
) STRICT;
CREATE INDEX grid_by_slide ON grid (slide_id);

CREATE TABLE run (
  run_key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  slide_id TEXT NOT NULL REFERENCES slide (id) ON DELETE CASCADE,
  grid_id TEXT NOT NULL REFERENCES grid (id) ON DELETE CASCADE,
  backbone_id TEXT NOT NULL,
  backbone_name TEXT NOT NULL,
  cut TEXT NOT NULL,
  normalisation TEXT NOT NULL,
  "precision" TEXT NOT NULL,
  feature_dim INTEGER NOT NULL CHECK (feature_dim > 0),
  state TEXT NOT NULL,
  tile_count INTEGER NOT NULL,
  tiles_done INTEGER NOT NULL CHECK (tiles_done BETWEEN 0 AND tile_count),
  feature_bytes INTEGER NOT NULL,
  created_at_ms REAL NOT NULL,
  finished_at_ms REAL,
  seconds_spent REAL NOT NULL,
  provenance_json TEXT NOT NULL,
  job_id TEXT,
  UNIQUE (slide_id, grid_id, backbone_id, cut, normalisation, "precision")
) STRICT;
CREATE INDEX run_by_slide ON run (slide_id, created_at_ms);
CREATE INDEX run_by_created ON run (created_at_ms);
CREATE INDEX run_by_grid ON run (grid_id);
CREATE INDEX run_by_backbone ON run (backbone_id);

CREATE TABLE chunk (
  chunk_key INTEGER PRIMARY KEY,
  run_key INTEGER NOT NULL REFERENCES run (run_key) ON DELETE CASCADE,
  first_tile INTEGER NOT NULL,
  tile_count INTEGER NOT NULL CHECK (tile_count > 0),
  crc32 INTEGER NOT NULL,
  feature_values BLOB NOT NULL,
  UNIQUE (run_key, first_tile)
) STRICT;

CREATE TABLE map (
  map_key INTEGER PRIMARY KEY,
  run_key INTEGER NOT NULL REFERENCES run (run_key) ON DELETE CASCADE,
  spec_json TEXT NOT NULL,
  description_json TEXT NOT NULL,
  value_bytes INTEGER NOT NULL,
  map_values BLOB NOT NULL,
  UNIQUE (run_key, spec_json)
) STRICT;
CREATE INDEX map_sizes ON map (run_key, value_bytes);

CREATE TABLE job (
  id TEXT PRIMARY KEY,
  slide_id TEXT,
  created_at_ms REAL NOT NULL,
  job_json TEXT NOT NULL,
  payload_json TEXT NOT NULL
) STRICT;
CREATE INDEX job_by_created ON job (created_at_ms);
CREATE INDEX job_by_slide ON job (slide_id);

CREATE TABLE setting (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
`,
};
