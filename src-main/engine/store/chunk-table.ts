import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Database } from 'better-sqlite3';
import { AppError } from '../../../src-shared/errors.ts';
import type { RunId } from '../../../src-shared/model/ids.ts';
import type { Precision } from '../../../src-shared/model/run.ts';
import { bytesPerValue, decodeValues, encodeValues } from './precision.ts';
import { runNotFound } from './run-table.ts';
import type { FeatureChunk, TileRange } from './store.ts';
import type { SyncStore } from './sync-store.ts';

export const CHUNK_SQL = {
  run: `SELECT run_key, feature_dim, tile_count, tiles_done, backbone_name, cut, "precision" FROM run WHERE id = ?`,
  append: 'INSERT INTO chunk (run_key, first_tile, tile_count, crc32, feature_values) VALUES (?, ?, ?, ?, ?)',
  advance: 'UPDATE run SET tiles_done = ?, feature_bytes = feature_bytes + ? WHERE run_key = ?',
  dropMaps: 'DELETE FROM map WHERE run_key = ?',
  dropJudgements: 'DELETE FROM judgement WHERE run_key = ?',
  checksums: 'SELECT first_tile, tile_count, crc32 FROM chunk WHERE run_key = ? ORDER BY first_tile',
  /** The chunks that cover a range: from the last that starts at or before it, to the last that starts inside it. */
  read: `SELECT first_tile, tile_count, crc32, feature_values FROM chunk WHERE run_key = @runKey
    AND first_tile >= coalesce(
      (SELECT max(first_tile) FROM chunk WHERE run_key = @runKey AND first_tile <= @firstTile), 0)
    AND first_tile < @endTile ORDER BY first_tile`,
} as const;

interface RunHead {
  readonly run_key: number;
  readonly feature_dim: number;
  readonly tile_count: number;
  readonly tiles_done: number;
  readonly backbone_name: string;
  readonly cut: string;
  readonly precision: Precision;
}

interface ChunkRow {
  readonly first_tile: number;
  readonly tile_count: number;
  readonly crc32: number;
  readonly feature_values: Buffer;
}

/** V8 and Electron refuse single allocations near 2 GiB. */
const MAX_ARRAY_BYTES = 2 ** 31 - 2 ** 20;

function refuseMismatch(chunk: FeatureChunk, head: RunHead): void {
  const problem =
    chunk.firstTile !== head.tiles_done
      ? `starts at tile ${chunk.firstTile}, but the run goes on at ${head.tiles_done}`
      : chunk.tileCount < 1 || head.tiles_done + chunk.tileCount > head.tile_count
        ? `holds ${chunk.tileCount} tiles, but the run lacks ${head.tile_count - head.tiles_done}`
        : chunk.dim !== head.feature_dim || chunk.values.length !== chunk.tileCount * chunk.dim
          ? `holds ${chunk.values.length} values for ${chunk.tileCount} x ${chunk.dim}; the run has ${head.feature_dim} a tile`
          : null;
  if (problem === null) return;
  throw new AppError('InvalidRequest', `These features do not continue the run: the chunk ${problem}.`, {
    detail: `run ${chunk.runId}`,
  });
}

function damagedRun(runId: RunId, head: RunHead, what: string): AppError {
  return new AppError(
    'StoreDamaged',
    `The stored features of ${head.backbone_name} at ${head.cut} are damaged (${what}).`,
    {
      advice: 'Remove this run and analyse the slide again; other results are not affected.',
      detail: `run ${runId}: ${what}`,
    },
  );
}

function checkedRange(range: TileRange | undefined, head: RunHead, runId: RunId): TileRange {
  const checked = range ?? { firstTile: 0, tileCount: head.tiles_done };
  const { firstTile, tileCount } = checked;
  const inside =
    Number.isInteger(firstTile) && Number.isInteger(tileCount) && firstTile >= 0 && tileCount >= 0
      ? firstTile + tileCount <= head.tiles_done
      : false;
  const bytes = tileCount * head.feature_dim * Float32Array.BYTES_PER_ELEMENT;
  if (inside && bytes <= MAX_ARRAY_BYTES) return checked;
  throw new AppError(
    'InvalidRequest',
    'These tiles cannot be read at once: the range is outside the run or too large.',
    {
      detail: `run ${runId}: tiles ${firstTile} + ${tileCount} of ${head.tiles_done}, ${bytes} bytes`,
    },
  );
}

type ChunkMethods = Pick<SyncStore, 'appendFeatures' | 'nextTile' | 'readFeatures' | 'featureDigest'>;

/** Features in chunks, each with a CRC-32 of its bytes: a chunk is there whole and right, or reading it is an error. */
export function chunkTable(db: Database): ChunkMethods {
  const head = db.prepare<[string], RunHead>(CHUNK_SQL.run);
  const append = db.prepare<[number, number, number, number, Buffer]>(CHUNK_SQL.append);
  const advance = db.prepare<[number, number, number]>(CHUNK_SQL.advance);
  const dropMaps = db.prepare<[number]>(CHUNK_SQL.dropMaps);
  const dropJudgements = db.prepare<[number]>(CHUNK_SQL.dropJudgements);
  const checksums = db.prepare<[number], Omit<ChunkRow, 'feature_values'>>(CHUNK_SQL.checksums);
  const read = db.prepare<[{ runKey: number; firstTile: number; endTile: number }], ChunkRow>(CHUNK_SQL.read);

  const headOf = (runId: RunId): RunHead => {
    const found = head.get(runId);
    if (found === undefined) throw runNotFound(runId);
    return found;
  };

  return {
    appendFeatures: db.transaction((chunk: FeatureChunk): number => {
      const run = headOf(chunk.runId);
      refuseMismatch(chunk, run);
      const blob = encodeValues(chunk.values, run.precision);
      append.run(run.run_key, chunk.firstTile, chunk.tileCount, crc32(blob), blob);
      const tilesDone = run.tiles_done + chunk.tileCount;
      advance.run(tilesDone, blob.byteLength, run.run_key);
      dropMaps.run(run.run_key);
      dropJudgements.run(run.run_key);
      return tilesDone;
    }).immediate,
    featureDigest: (runId) => {
      const { run_key, feature_dim, precision } = headOf(runId);
      const hash = createHash('sha256').update(`${feature_dim} ${precision}\n`);
      for (const chunk of checksums.iterate(run_key)) {
        hash.update(`${chunk.first_tile} ${chunk.tile_count} ${chunk.crc32}\n`);
      }
      return hash.digest('hex');
    },
    nextTile: (runId) => headOf(runId).tiles_done,
    readFeatures: db.transaction((runId: RunId, range?: TileRange): Float32Array => {
      const run = headOf(runId);
      const { firstTile, tileCount } = checkedRange(range, run, runId);
      const endTile = firstTile + tileCount;
      const { feature_dim: dim, precision } = run;
      const tileBytes = dim * bytesPerValue(precision);
      const values = new Float32Array(new SharedArrayBuffer(tileCount * dim * Float32Array.BYTES_PER_ELEMENT));
      let reached = firstTile;
      for (const row of tileCount === 0 ? [] : read.iterate({ runKey: run.run_key, firstTile, endTile })) {
        const last = row.first_tile + row.tile_count;
        const tiles = `tiles ${row.first_tile} to ${last - 1}`;
        const sized = row.feature_values.byteLength === row.tile_count * tileBytes;
        if (!sized || crc32(row.feature_values) !== row.crc32) throw damagedRun(runId, run, tiles);
        if (row.first_tile > reached || last <= reached) throw damagedRun(runId, run, `${tiles} out of order`);
        const from = (reached - row.first_tile) * tileBytes;
        const to = (Math.min(last, endTile) - row.first_tile) * tileBytes;
        decodeValues(row.feature_values.subarray(from, to), precision, values, (reached - firstTile) * dim);
        reached = Math.min(last, endTile);
      }
      if (reached !== endTile) throw damagedRun(runId, run, `tiles ${reached} to ${endTile - 1} missing`);
      return values;
    }),
  };
}
