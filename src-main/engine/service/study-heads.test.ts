import { describe, expect, it } from 'vitest';
import type { FineTuningRecord } from '../../../src-shared/model/fine-tune.ts';
import { asId, type BackboneId, type RunId, type SlideId, type StudyId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE, type Run } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type Study, type StudyRow } from '../../../src-shared/model/study.ts';
import { floatsOf } from '../graph/model.ts';
import type { AttentionWorker } from '../learn/attention-worker.ts';
import type { Ensemble } from '../learn/ensemble.ts';
import { evaluationGraph } from '../learn/head-graph.ts';
import type { HeadSpec } from '../learn/head-spec.ts';
import type { Store, StoredJudgement, StudyHeadRecord } from '../store/store.ts';
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
const ensemble: Ensemble = {
  ...{ heads: 1, classes: 2, attention: Float32Array.of(1), contributions: new Float32Array(2) },
  ...{ spread: new Float32Array(1), probabilities: [[0.4, 0.6]], agreement: null },
};
const store = {
  listStudyHeads: async () => [head],
  featureDigest: async () => 'features',
  getJudgement: async () => null,
  putJudgement: async () => {},
} as unknown as Store;
const worker: Pick<AttentionWorker, 'judge' | 'prepare'> = {
  judge: async () => ({ ensemble, moments: new Float64Array(4) }),
  prepare: () => {},
};

/** What is said of a slide where the backbone was tuned on others; null = it never was. */
async function seen(i: number, tunedOn: readonly number[] | null) {
  const tuned = { trainSlides: (tunedOn ?? []).map(id), validationSlides: [], earlierSlides: [] } as unknown;
  const past = tunedOn === null ? null : { tuned: tuned as FineTuningRecord, rows: [] };
  const heads = new StudyHeads(
    store,
    worker,
    async () => past,
    async () => null,
  );
  const run = { id: asId<RunId>('run'), slideId: id(i), backboneId: 'tuned', cut: '', provenance: { featureDim: 2 } };
  return (await heads.judge(study, run as unknown as Run, async () => new Float32Array(2))).seen;
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

describe('what heads said of a slide', () => {
  const asked = async (kept: Map<string, StoredJudgement>, weights: Float32Array, features: string) => {
    let judged = 0;
    let read = 0;
    const heads = new StudyHeads(
      {
        ...store,
        listStudyHeads: async () => [{ ...head, weights }],
        featureDigest: async () => features,
        getJudgement: async (runId: RunId, studyId: StudyId) => kept.get(`${runId} ${studyId}`) ?? null,
        putJudgement: async (judgement: StoredJudgement) => {
          kept.set(`${judgement.runId} ${judgement.studyId}`, judgement);
        },
      } as unknown as Store,
      {
        judge: async () => {
          judged++;
          return { ensemble, moments: Float64Array.of(1, 2, 3, 4) };
        },
        prepare: () => {},
      },
      async () => null,
      async () => null,
    );
    const run = {
      id: asId<RunId>('run'),
      slideId: id(60),
      backboneId: 'tuned',
      cut: '',
      provenance: { featureDim: 2 },
    };
    const reader = async () => {
      read++;
      return new Float32Array(2);
    };
    const { ensemble: found, moments, seen } = await heads.judge(study, run as unknown as Run, reader);
    return { found, moments, seen, judged, read };
  };

  it('is kept, with no head asked and no feature read again, until heads or features change', async () => {
    const kept = new Map<string, StoredJudgement>();
    const first = await asked(kept, head.weights, 'features');
    expect([first.judged, first.read]).toEqual([1, 1]);
    const again = await asked(kept, head.weights, 'features');
    expect([again.judged, again.read]).toEqual([0, 0]);
    expect([again.found, again.moments, again.seen]).toEqual([first.found, first.moments, 'unseen']);
    const changed = head.weights.map((value, i) => (i === 0 ? value + 1e-7 : value));
    expect((await asked(kept, changed, 'features')).judged).toBe(1);
    expect((await asked(kept, changed, 'others')).judged).toBe(1);
    expect((await asked(kept, changed, 'others')).judged).toBe(0);
    // One place for a run and a study: what is out of date is replaced.
    expect(kept.size).toBe(1);
  });
});
