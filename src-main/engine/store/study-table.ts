import { crc32 } from 'node:zlib';
import type { Database } from 'better-sqlite3';
import { AppError } from '../../../src-shared/errors.ts';
import type { Study } from '../../../src-shared/model/study.ts';
import { float32Of, parseStored, toBlob } from './codec.ts';
import type { StudyHeadRecord } from './store.ts';
import type { SyncStore } from './sync-store.ts';

export const STUDY_SQL = {
  put: `INSERT INTO study (id, created_at_ms, study_json) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET study_json = excluded.study_json`,
  get: 'SELECT study_json FROM study WHERE id = ?',
  list: 'SELECT study_json FROM study ORDER BY created_at_ms DESC',
  remove: 'DELETE FROM study WHERE id = ?',
  putHead: `INSERT INTO study_head (study_id, fold, seed, spec_json, best_epoch, history_json, weights, weights_crc32)
    VALUES (@studyId, @fold, @seed, @specJson, @bestEpoch, @historyJson, @weights, @crc)
    ON CONFLICT (study_id, fold, seed) DO UPDATE SET spec_json = excluded.spec_json, best_epoch = excluded.best_epoch,
      history_json = excluded.history_json, weights = excluded.weights, weights_crc32 = excluded.weights_crc32`,
  listHeads: 'SELECT * FROM study_head WHERE study_id = ? ORDER BY fold, seed',
} as const;

interface HeadRow {
  readonly study_id: string;
  readonly fold: number;
  readonly seed: number;
  readonly spec_json: string;
  readonly best_epoch: number;
  readonly history_json: string;
  readonly weights: Buffer;
  readonly weights_crc32: number;
}

type StudyMethods = Pick<
  SyncStore,
  'putStudy' | 'getStudy' | 'listStudies' | 'removeStudy' | 'putStudyHead' | 'listStudyHeads'
>;

/** Studies and the heads trained in them. */
export function studyTable(db: Database): StudyMethods {
  const put = db.prepare<[string, number, string]>(STUDY_SQL.put);
  const get = db.prepare<[string], { study_json: string }>(STUDY_SQL.get);
  const list = db.prepare<[], { study_json: string }>(STUDY_SQL.list);
  const remove = db.prepare<[string]>(STUDY_SQL.remove);
  const putHead = db.prepare(STUDY_SQL.putHead);
  const listHeads = db.prepare<[string], HeadRow>(STUDY_SQL.listHeads);
  return {
    putStudy: (study) => {
      put.run(study.id, study.createdAtMs, JSON.stringify(study));
    },
    getStudy: (id) => {
      const row = get.get(id);
      return row === undefined ? null : parseStored<Study>(row.study_json, 'study');
    },
    listStudies: () => list.all().map((row) => parseStored<Study>(row.study_json, 'study')),
    removeStudy: (id) => {
      remove.run(id);
    },
    putStudyHead: ({ studyId, fold, seed, specJson, bestEpoch, historyJson, weights }) => {
      const blob = toBlob(weights);
      putHead.run({ studyId, fold, seed, specJson, bestEpoch, historyJson, weights: blob, crc: crc32(blob) });
    },
    listStudyHeads: (studyId) => listHeads.all(studyId).map((row) => headOf(row, studyId)),
  };
}

function headOf(row: HeadRow, studyId: StudyHeadRecord['studyId']): StudyHeadRecord {
  if (crc32(row.weights) !== row.weights_crc32) {
    throw new AppError('StoreDamaged', 'The weights of a trained head are damaged.', {
      advice: 'Train the study again.',
      detail: `study ${studyId}, fold ${row.fold}, seed ${row.seed}`,
    });
  }
  return {
    studyId,
    fold: row.fold,
    seed: row.seed,
    specJson: row.spec_json,
    bestEpoch: row.best_epoch,
    historyJson: row.history_json,
    weights: float32Of(row.weights),
  };
}
