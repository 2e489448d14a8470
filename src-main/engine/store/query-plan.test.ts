import { rmSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BACKBONE_SQL } from './backbone-table.ts';
import { CHUNK_SQL } from './chunk-table.ts';
import { COMPARISON_SQL } from './comparison-table.ts';
import { GRID_SQL } from './grid-table.ts';
import { JOB_SQL } from './job-table.ts';
import { JUDGEMENT_SQL } from './judgement-table.ts';
import { MAP_SQL } from './map-table.ts';
import { MIGRATIONS } from './migrations/all.ts';
import { openDatabase } from './open-database.ts';
import { RUN_SQL } from './run-table.ts';
import { SLIDE_SQL } from './slide-table.ts';
import { STUDY_SQL } from './study-table.ts';
import { temporaryFolder } from './testing/samples.ts';

const STATEMENTS: readonly (readonly [string, string])[] = Object.entries({
  slide: SLIDE_SQL,
  backbone: BACKBONE_SQL,
  grid: GRID_SQL,
  run: RUN_SQL,
  chunk: CHUNK_SQL,
  map: MAP_SQL,
  judgement: JUDGEMENT_SQL,
  job: JOB_SQL,
  study: STUDY_SQL,
  comparison: COMPARISON_SQL,
}).flatMap(([table, statements]) =>
  Object.entries(statements).map(([name, sql]) => [`${table}.${name}`, sql] as const),
);

/** Whole-table reads that are meant: lists the user sees whole, and sizes over the runs. */
const LISTS = new Set([
  'slide.list',
  'backbone.list',
  'run.list',
  'job.list',
  'study.list',
  'comparison.list',
  'run.featureBytes',
  'run.usage',
  'run.pauseRunning',
]);

/** Of these, the ones that need no order: a few hundred rows without blobs. */
const WHOLE = new Set(['run.featureBytes', 'run.usage', 'run.pauseRunning']);

/** An archive of 100 slides by 5 backbones, 10,048 tiles each, of one float a tile: the planner looks at rows, not bytes. */
const [SLIDES, BACKBONES, CHUNKS, CHUNK_TILES] = [100, 5, 157, 64];

/** Fills the tables that grow with an archive and gathers the planner's statistics. */
function fillArchive(db: Database.Database): void {
  const upTo = (count: number): string =>
    `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})`;
  const tiles = CHUNKS * CHUNK_TILES;
  db.transaction(() => {
    db.exec(`INSERT INTO slide ${upTo(SLIDES)} SELECT 's' || i, 'p' || i, 'n' || i, 1, 1, '{}', NULL, i, 0 FROM n;
      INSERT INTO grid (id, slide_id, tile_count, grid_json, tile_columns, tile_rows)
        SELECT 'g' || id, id, ${tiles}, '{}', x'00', x'00' FROM slide;
      INSERT INTO run (id, slide_id, grid_id, backbone_id, backbone_name, cut, normalisation, "precision", feature_dim,
          state, tile_count, tiles_done, feature_bytes, created_at_ms, seconds_spent, provenance_json)
        ${upTo(BACKBONES)} SELECT 'r' || slide.id || n.i, slide.id, 'g' || slide.id, 'b' || n.i, 'b', 'layer4', 'none',
          'float32', 1, 'done', ${tiles}, ${tiles}, ${4 * tiles}, n.i, 1, '{}' FROM slide, n;
      INSERT INTO chunk (run_key, first_tile, tile_count, crc32, feature_values)
        ${upTo(CHUNKS)} SELECT run.run_key, n.i * ${CHUNK_TILES}, ${CHUNK_TILES}, 0, zeroblob(${4 * CHUNK_TILES})
        FROM run, n;`);
  })();
  db.exec('ANALYZE');
}

describe('query plans', () => {
  let folder: string;
  let db: Database.Database;

  const planOf = (sql: string): readonly string[] => {
    const rows = db.prepare(`EXPLAIN QUERY PLAN ${sql}`);
    const names = [...sql.matchAll(/@(\w+)/g)].map(([, name]) => [name, 1] as const);
    const bound = names.length > 0 ? [Object.fromEntries(names)] : [...sql.matchAll(/\?/g)].map(() => 1);
    return (rows.all(...bound) as { detail: string }[]).map(({ detail }) => detail);
  };

  beforeAll(() => {
    folder = temporaryFolder();
    db = openDatabase({ folder, fileName: 'plan.db', migrations: MIGRATIONS }).db;
    fillArchive(db);
  });

  afterAll(() => {
    db.close();
    rmSync(folder, { recursive: true });
  });

  it.each(STATEMENTS)('%s reads no table from end to end and sorts nothing by hand', (name, sql) => {
    const plan = planOf(sql).filter((step) => !step.startsWith('SCAN CONSTANT ROW'));
    const whole = plan.filter((step) => /^SCAN (?!.* USING (COVERING )?INDEX)/.test(step));
    const sorts = plan.filter((step) => step.includes('TEMP B-TREE'));
    if (!LISTS.has(name)) expect(plan.filter((step) => step.startsWith('SCAN'))).toEqual([]);
    if (!WHOLE.has(name)) expect([...whole, ...sorts]).toEqual([]);
  });

  it('are those of an archive of five million tiles', () => {
    const { tiles } = db.prepare('SELECT sum(tile_count) AS tiles FROM chunk').get() as { tiles: number };
    expect(tiles).toBe(SLIDES * BACKBONES * CHUNKS * CHUNK_TILES);
    expect(tiles).toBeGreaterThan(5e6);
  });

  it('finds the chunks of a run by run and tile', () => {
    expect(planOf(CHUNK_SQL.read)[0]).toMatch(
      /^SEARCH chunk USING INDEX sqlite_autoindex_chunk_1 \(run_key=\? AND first_tile>\? AND first_tile<\?\)$/,
    );
  });

  it('finds every foreign key by an index, so that removing a slide does not scan what hangs on others', () => {
    for (const [table, column] of [
      ['grid', 'slide_id'],
      ['run', 'slide_id'],
      ['run', 'grid_id'],
      ['chunk', 'run_key'],
      ['map', 'run_key'],
    ]) {
      expect(planOf(`SELECT 1 FROM ${table} WHERE ${column} = ?`)[0]).toMatch(/^SEARCH .* USING (COVERING )?INDEX/);
    }
  });
});
