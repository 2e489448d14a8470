import { crc32 } from 'node:zlib';
import type { Database } from 'better-sqlite3';
import { AppError } from '../../../src-shared/errors.ts';
import type { StudyId } from '../../../src-shared/model/ids.ts';
import type { Study } from '../../../src-shared/model/study.ts';
import { float32Of, parseStored, toBlob } from './codec.ts';
import type { StudyHeadRecord, StudyVectors } from './store.ts';
import { upgradedStudy } from './study-upgrade.ts';
import type { SyncStore } from './sync-store.ts';

export const STUDY_SQL = {
  put: `INSERT INTO study (id, created_at_ms, study_json) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET study_json = excluded.study_json`,
  get: 'SELECT study_json FROM study WHERE id = ?',
  list: 'SELECT study_json FROM study ORDER BY created_at_ms DESC',
  remove: 'DELETE FROM study WHERE id = ?',
  putHead: `INSERT INTO study_head (study_id, fold, seed, spec_json, best_epoch, history_json, trained_on_json, weights,
      weights_crc32)
    VALUES (@studyId, @fold, @seed, @specJson, @bestEpoch, @historyJson, @trainedOnJson, @weights, @crc)
    ON CONFLICT (study_id, fold, seed) DO UPDATE SET spec_json = excluded.spec_json, best_epoch = excluded.best_epoch,
      history_json = excluded.history_json, trained_on_json = excluded.trained_on_json, weights = excluded.weights, weights_crc32 = excluded.weights_crc32`,
  listHeads: 'SELECT * FROM study_head WHERE study_id = ? ORDER BY fold, seed',
  dropHeads: 'DELETE FROM study_head WHERE study_id = ?',
  dropJudgements: 'DELETE FROM judgement WHERE study_id = ?',
  putVectors: `INSERT INTO study_vectors (study_id, dim, vectors, vectors_crc32) VALUES (@studyId, @dim, @vectors, @crc)
    ON CONFLICT (study_id) DO UPDATE SET dim = excluded.dim, vectors = excluded.vectors,
      vectors_crc32 = excluded.vectors_crc32`,
  getVectors: 'SELECT dim, vectors, vectors_crc32 FROM study_vectors WHERE study_id = ?',
} as const;

interface HeadRow {
  readonly study_id: string;
  readonly fold: number;
  readonly seed: number;
  readonly spec_json: string;
  readonly best_epoch: number;
  readonly history_json: string;
  readonly trained_on_json: string | null;
  readonly weights: Buffer;
  readonly weights_crc32: number;
}

type StudyMethods = Pick<
  SyncStore,
  | 'putStudy'
  | 'getStudy'
  | 'listStudies'
  | 'removeStudy'
  | 'putStudyHead'
  | 'listStudyHeads'
  | 'dropStudyHeads'
  | 'putStudyVectors'
  | 'getStudyVectors'
>;

/** Studies and the heads trained in them. */
export function studyTable(db: Database): StudyMethods {
  const put = db.prepare<[string, number, string]>(STUDY_SQL.put);
  const get = db.prepare<[string], { study_json: string }>(STUDY_SQL.get);
  const list = db.prepare<[], { study_json: string }>(STUDY_SQL.list);
  const remove = db.prepare<[string]>(STUDY_SQL.remove);
  const putHead = db.prepare(STUDY_SQL.putHead);
  const listHeads = db.prepare<[string], HeadRow>(STUDY_SQL.listHeads);
  const dropHeads = db.prepare<[string]>(STUDY_SQL.dropHeads);
  const dropJudgements = db.prepare<[string]>(STUDY_SQL.dropJudgements);
  const putVectors = db.prepare(STUDY_SQL.putVectors);
  const getVectors = db.prepare<[string], VectorRow>(STUDY_SQL.getVectors);
  return {
    putStudy: (study) => {
      put.run(study.id, study.createdAtMs, JSON.stringify(study));
    },
    getStudy: (id) => {
      const row = get.get(id);
      return row === undefined ? null : upgradedStudy(parseStored<Study>(row.study_json, 'study'));
    },
    listStudies: () => list.all().map((row) => upgradedStudy(parseStored<Study>(row.study_json, 'study'))),
    removeStudy: (id) => {
      remove.run(id);
    },
    putStudyHead: ({ weights, ...head }) => {
      const blob = toBlob(weights);
      putHead.run({ ...head, weights: blob, crc: crc32(blob) });
    },
    listStudyHeads: (studyId) => listHeads.all(studyId).map((row) => headOf(row, studyId)),
    dropStudyHeads: db.transaction((studyId: StudyId) => {
      dropHeads.run(studyId);
      dropJudgements.run(studyId);
    }).immediate,
    putStudyVectors: ({ studyId, dim, vectors }) => {
      if (get.get(studyId) === undefined) throw new AppError('NotFound', 'This study no longer exists.');
      const blob = toBlob(vectors);
      putVectors.run({ studyId, dim, vectors: blob, crc: crc32(blob) });
    },
    getStudyVectors: (studyId) => {
      const row = getVectors.get(studyId);
      return row === undefined ? null : vectorsOf(row, studyId);
    },
  };
}

interface VectorRow {
  readonly dim: number;
  readonly vectors: Buffer;
  readonly vectors_crc32: number;
}

function vectorsOf(row: VectorRow, studyId: StudyVectors['studyId']): StudyVectors {
  if (crc32(row.vectors) !== row.vectors_crc32) {
    throw new AppError('StoreDamaged', 'What a study knows of its slides is damaged.', {
      advice: 'Train the study again.',
      detail: `study ${studyId}`,
    });
  }
  return { studyId, dim: row.dim, vectors: float32Of(row.vectors) };
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
    trainedOnJson: row.trained_on_json,
    weights: float32Of(row.weights),
  };
}
