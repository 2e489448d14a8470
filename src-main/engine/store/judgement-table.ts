import { crc32 } from 'node:zlib';
import type { Database } from 'better-sqlite3';
import { AppError } from '../../../src-shared/errors.ts';
import type { RunId } from '../../../src-shared/model/ids.ts';
import { float32Of, toBlob } from './codec.ts';
import type { SyncStore } from './sync-store.ts';

export const JUDGEMENT_SQL = {
  get: `SELECT made_by, facts_json, tile_values, tile_values_crc32 FROM judgement
    WHERE run_key = (SELECT run_key FROM run WHERE id = ?) AND study_id = ?`,
  put: `INSERT INTO judgement (run_key, study_id, made_by, facts_json, value_bytes, tile_values, tile_values_crc32)
    SELECT run_key, @studyId, @madeBy, @factsJson, @valueBytes, @values, @crc FROM run
    WHERE id = @runId AND EXISTS (SELECT 1 FROM study WHERE id = @studyId)
    ON CONFLICT (run_key, study_id) DO UPDATE SET made_by = excluded.made_by, facts_json = excluded.facts_json,
      value_bytes = excluded.value_bytes, tile_values = excluded.tile_values,
      tile_values_crc32 = excluded.tile_values_crc32`,
  runs: `SELECT run.id FROM judgement JOIN run USING (run_key) WHERE judgement.study_id = ? ORDER BY judgement.rowid DESC`,
} as const;

interface JudgementRow {
  readonly made_by: string;
  readonly facts_json: string;
  readonly tile_values: Buffer;
  readonly tile_values_crc32: number;
}

/** What heads of studies say of the tiles of runs: a cache, one row for a run and a study, gone with either. */
export function judgementTable(db: Database): Pick<SyncStore, 'getJudgement' | 'putJudgement' | 'listJudgedRuns'> {
  const get = db.prepare<[string, string], JudgementRow>(JUDGEMENT_SQL.get);
  const put = db.prepare(JUDGEMENT_SQL.put);
  const runs = db.prepare<[string], { readonly id: RunId }>(JUDGEMENT_SQL.runs);
  return {
    getJudgement: (runId, studyId) => {
      const row = get.get(runId, studyId);
      // What is damaged is computed again.
      if (row === undefined || crc32(row.tile_values) !== row.tile_values_crc32) return null;
      const { made_by: madeBy, facts_json: factsJson } = row;
      return { runId, studyId, madeBy, factsJson, values: float32Of(row.tile_values) };
    },
    listJudgedRuns: (studyId) => runs.all(studyId).map(({ id }) => id),
    putJudgement: ({ values, ...judgement }) => {
      const blob = toBlob(values);
      const row = { ...judgement, values: blob, valueBytes: blob.byteLength, crc: crc32(blob) };
      if (put.run(row).changes === 0) throw new AppError('NotFound', 'The analysis or the study no longer exists.');
    },
  };
}
