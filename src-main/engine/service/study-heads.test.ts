import { describe, expect, it } from 'vitest';
import type { FineTuningRecord } from '../../../src-shared/model/fine-tune.ts';
import { asId, type BackboneId, type RunId, type SlideId, type StudyId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE, type Run } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type Study, type StudyRow } from '../../../src-shared/model/study.ts';
import { floatsOf } from '../graph/model.ts';
import { evaluationGraph } from '../learn/head-graph.ts';
import type { HeadSpec } from '../learn/head-spec.ts';
import type { TrainingWorker } from '../learn/training-worker.ts';
import type { Store, StudyHeadRecord } from '../store/store.ts';
import { StudyHeads } from './study-heads.ts';
import { packWeights } from './study-weights.ts';

const id = (i: number): SlideId => asId<SlideId>(`slide${i}`);
const rows: readonly StudyRow[] = Array.from({ length: 6 }, (_, i) => ({
  ...{ slideId: id(i), slideName: `s${i}`, patient: `p${i}`, label: i % 2 ? 'b' : 'a', site: '', runId: null },
}));
const splits = [{ train: [id(0), id(1)], validation: [id(2)], test: [id(3)] }];
const study = {
  ...{ id: asId<StudyId>('study'), createdAtMs: 0, jobId: null },
  plan: {
    ...DEFAULT_STUDY_TRAINING,
    ...{ name: 'Study', rows, patientsUnknown: false, backboneId: asId<BackboneId>('tuned'), cut: null },
    ...{ grid: DEFAULT_GRID, tissue: DEFAULT_TISSUE, splitting: { kind: 'given', from: 'this test', splits } },
  },
  outcome: { classes: ['a', 'b'], featureDim: 2, splits, predictions: [], finishedAtMs: 1 },
} as unknown as Study;

const spec: HeadSpec = { pooling: 'mean', gated: false, featureDim: 2, classes: 2, seed: 1 };
/** Weights the head could begin with. */
function drawn(): Float32Array {
  const { model, parameters } = evaluationGraph(spec);
  const tensors = model.graph.initializers.filter(({ name }) => parameters.includes(name));
  return packWeights(new Map(tensors.map((tensor) => [tensor.name, floatsOf(tensor)])));
}
const head: StudyHeadRecord = {
  ...{ studyId: study.id, fold: 0, seed: 1, specJson: JSON.stringify(spec), bestEpoch: 1, historyJson: '[]' },
  ...{ trainedOnJson: null, weights: drawn() },
};
const prediction = {
  ...{ probabilities: Float32Array.of(0.4, 0.6), attention: Float32Array.of(1), contributions: new Float32Array(2) },
  attentionScores: Float32Array.of(0),
};
const store = { listStudyHeads: async () => [head] } as unknown as Store;
const worker = { predict: async () => prediction } as unknown as TrainingWorker;

/** What is said of a slide where the backbone was tuned on others; null = it never was. */
async function seen(i: number, tunedOn: readonly number[] | null) {
  const tuned = { trainSlides: (tunedOn ?? []).map(id), validationSlides: [], earlierSlides: [] } as unknown;
  const past = tunedOn === null ? null : { tuned: tuned as FineTuningRecord, rows: [] };
  const heads = new StudyHeads(
    store,
    () => worker,
    async () => past,
    async () => null,
  );
  const run = { id: asId<RunId>('run'), slideId: id(i), backboneId: 'tuned', cut: '', provenance: { featureDim: 2 } };
  return (await heads.judge(study, run as unknown as Run, new Float32Array(2))).seen;
}

describe('what a judgement says of the slide', () => {
  it('tells what the heads have seen where the backbone is as it came', async () => {
    expect(await Promise.all([0, 2, 3, 5, 60].map((i) => seen(i, null)))).toEqual([
      ...['trained', 'trained', 'tested', 'tested', 'unseen'],
    ]);
  });

  it('calls no slide unseen or tested that the backbone was fine-tuned on', async () => {
    // The heads of this study saw neither 5, which is in no part of the split, nor 60, which is not of the study.
    expect(await Promise.all([0, 3, 5, 60, 61].map((i) => seen(i, [0, 5, 60])))).toEqual([
      ...['trained', 'tested', 'tuned', 'tuned', 'unseen'],
    ]);
  });
});
