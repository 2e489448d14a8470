import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asId, type StudyId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type Study } from '../../../src-shared/model/study.ts';
import { openStore } from './open-store.ts';
import type { OpenedStore, StudyHeadRecord } from './store.ts';

let folder: string;
let store: OpenedStore;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hyaline-study-'));
  store = await openStore({ folder });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const study = (id: string, createdAtMs: number): Study => ({
  id: asId<StudyId>(id),
  createdAtMs,
  plan: {
    ...DEFAULT_STUDY_TRAINING,
    name: id,
    rows: [],
    patientsUnknown: true,
    backboneId: asId('b'),
    cut: null,
    grid: DEFAULT_GRID,
    tissue: DEFAULT_TISSUE,
  },
  outcome: null,
  jobId: null,
});
const head = (fold: number, seed: number): StudyHeadRecord => ({
  studyId: asId<StudyId>('one'),
  fold,
  seed,
  specJson: '{"pooling":"abmil"}',
  bestEpoch: 3,
  historyJson: '[]',
  trainedOnJson: seed === 1 ? '{"device":"CPU","refused":[]}' : null,
  weights: Float32Array.of(fold, seed, 0.5),
});

describe('studies in the store', () => {
  it('come back newest first, with their heads in order, and survive reopening', async () => {
    await store.putStudy(study('one', 1));
    await store.putStudy(study('two', 2));
    for (const record of [head(1, 1), head(0, 2), head(0, 1)]) await store.putStudyHead(record);
    await store.close();
    store = await openStore({ folder });
    expect((await store.listStudies()).map(({ id }) => id)).toEqual(['two', 'one']);
    expect(await store.getStudy(asId<StudyId>('one'))).toEqual(study('one', 1));
    expect(await store.listStudyHeads(asId<StudyId>('one'))).toEqual([head(0, 1), head(0, 2), head(1, 1)]);
  });

  it('go with their heads; a head trained again replaces the first', async () => {
    await store.putStudy(study('one', 1));
    await store.putStudyHead(head(0, 1));
    await store.putStudyHead({ ...head(0, 1), bestEpoch: 9 });
    expect((await store.listStudyHeads(asId<StudyId>('one'))).map(({ bestEpoch }) => bestEpoch)).toEqual([9]);
    await store.removeStudy(asId<StudyId>('one'));
    expect(await store.getStudy(asId<StudyId>('one'))).toBeNull();
    expect(await store.listStudyHeads(asId<StudyId>('one'))).toEqual([]);
  });

  it('of the first version are read as what they were: folds, drawn once, no sites', async () => {
    const { splitting: _, groupBy: __, positiveClass: ___, operatingRule: ____, ...old } = study('old', 1).plan;
    const rows = [{ slideId: asId('a'), slideName: 'a.svs', patient: 'p', label: 'x' }];
    const outcome = { classes: ['x', 'y'], featureDim: 2, figures: [], predictions: [], audits: [], curves: [] };
    const stored = { ...study('old', 1), plan: { ...old, rows, folds: 7 }, outcome };
    await store.putStudy(stored as unknown as Study);
    const read = await store.getStudy(asId<StudyId>('old'));
    expect(read?.plan.splitting).toEqual({ kind: 'folds', folds: 7, repeats: 1 });
    expect(read?.plan).not.toHaveProperty('folds');
    expect(read?.plan.rows[0]).toMatchObject({ site: '', runId: null });
    expect(read?.outcome).toMatchObject({ positiveClass: 'y', splits: [], thresholds: [], checks: null, external: [] });
  });

  it('keep their slides as vectors, which go with them', async () => {
    const vectors = { studyId: asId<StudyId>('one'), dim: 2, vectors: Float32Array.of(1, 2, 3, 4) };
    await expect(store.putStudyVectors(vectors)).rejects.toMatchObject({ code: 'NotFound' });
    await store.putStudy(study('one', 1));
    expect(await store.getStudyVectors(vectors.studyId)).toBeNull();
    await store.putStudyVectors(vectors);
    expect(await store.getStudyVectors(vectors.studyId)).toEqual(vectors);
    await store.putStudyHead(head(0, 1));
    await store.dropStudyHeads(vectors.studyId);
    expect(await store.listStudyHeads(vectors.studyId)).toEqual([]);
    await store.removeStudy(vectors.studyId);
    expect(await store.getStudyVectors(vectors.studyId)).toBeNull();
  });
});
