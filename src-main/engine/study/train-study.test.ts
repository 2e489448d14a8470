import { afterAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../backbone/random-stream.ts';
import { NO_REGULARISERS } from '../learn/head-spec.ts';
import { HISTOTRANSFER_TRAINING } from '../learn/train-head.ts';
import { TrainingWorker } from '../learn/training-worker.ts';
import { plannedSplits } from './plan-splits.ts';
import type { StudyCase } from './splits.ts';
import { type StudyData, type StudyModel, type StudyPlan, trainStudy } from './train-study.ts';

const worker = new TrainingWorker();
afterAll(() => worker.close());

const DIM = 8;
const PLAN: StudyPlan = {
  head: { pooling: 'histotransfer', gated: false },
  regularisers: NO_REGULARISERS,
  training: { ...HISTOTRANSFER_TRAINING, epochs: 6, keepBestBy: 'loss' },
  balanceClasses: true,
  splitting: { kind: 'folds', folds: 3, repeats: 1 },
  groupBy: 'patient',
  positiveClass: null,
  operatingRule: { kind: 'youden' },
  shuffledHeads: 1,
  resamples: 200,
  splitSeed: 4,
  seeds: [1, 2],
};

/** Two slides per patient; `signal` = 0 makes labels that the features know nothing of. */
function cohort(patients: number, signal: number): StudyData {
  const cases: StudyCase[] = Array.from({ length: patients * 2 }, (_, i) => ({
    id: `slide ${i}`,
    label: (i >> 1) % 2 === 0 ? 'normal' : 'tumour',
    group: `patient ${i >> 1}`,
  }));
  return {
    cases,
    featureDim: DIM,
    features: async (index) => {
      const stream = new RandomStream(index, 'bag');
      const shift = cases[index]?.label === 'tumour' ? signal : 0;
      return Float32Array.from({ length: 12 * DIM }, (_, i) => {
        const lesion = Math.floor(i / DIM) % 4 === 0 && i % DIM < 2;
        return stream.nextNormal() + (lesion ? shift : 0);
      });
    },
  };
}

/** The worker, keeping what each training was shown: cases by number, in turn, and the labels and patients of its training part. */
function spied(data: StudyData): {
  data: StudyData;
  worker: Pick<TrainingWorker, 'train' | 'predict'>;
  seen: number[][];
  labels: number[][];
  patients: (number | undefined)[][];
} {
  const seen: number[][] = [];
  const labels: number[][] = [];
  const patients: (number | undefined)[][] = [];
  let training = false;
  return {
    seen,
    labels,
    patients,
    data: {
      ...data,
      features: (index) => {
        if (training) seen.at(-1)?.push(index);
        return data.features(index);
      },
    },
    worker: {
      train: async (...args) => {
        const [, bags] = args;
        const told = await Promise.all(Array.from({ length: bags.count }, (_, i) => bags.get(i)));
        labels.push(told.map(({ label }) => label));
        patients.push(told.map(({ patient }) => patient));
        seen.push([]);
        training = true;
        try {
          return await worker.train(...args);
        } finally {
          training = false;
        }
      },
      predict: worker.predict.bind(worker),
    },
  };
}

describe('a cross-validated study', () => {
  it('judges every case once, by heads that saw neither it nor its patient, and finds the signal', async () => {
    const spy = spied(cohort(18, 4));
    const { cases } = spy.data;
    const result = await trainStudy(spy.data, PLAN, spy.worker);
    expect(result.predictions.map(({ caseIndex }) => caseIndex).sort((a, b) => a - b)).toEqual(cases.map((_, i) => i));
    // Two seeds a fold, and one control on shuffled labels in the first.
    const trainedIn = [
      [0, 1, 2],
      [3, 4],
      [5, 6],
    ];
    expect(spy.seen).toHaveLength(7);
    for (const { caseIndex, fold } of result.predictions) {
      const patient = cases[caseIndex]?.group;
      const shown = (trainedIn[fold] ?? []).flatMap((at) => spy.seen[at] ?? []).map((index) => cases[index]?.group);
      expect(shown.length).toBeGreaterThan(0);
      expect(shown).not.toContain(patient);
    }
    // What is kept of a case is what the heads of its own fold say, one after the other, and nobody else.
    for (const { caseIndex, fold, bySeed } of result.predictions.filter((_, i) => i % 5 === 0)) {
      const features = await spy.data.features(caseIndex);
      const own = result.models.filter((model) => model.fold === fold);
      const said = own.map(({ spec, weights }) => worker.predict(spec, weights, features));
      expect(bySeed).toEqual((await Promise.all(said)).map(({ probabilities }) => [...probabilities]));
    }
    // Each bag says whose it is: two slides of every patient.
    for (const told of spy.patients) expect(new Set(told).size).toBe(told.length / 2);
    // The control learned from the same labels in another order.
    const [labels = [], , shuffled = []] = spy.labels;
    expect(shuffled).not.toEqual(labels);
    expect(shuffled.toSorted()).toEqual(labels.toSorted());
    const figure = (name: string) => result.figures.find((each) => each.name === name);
    expect(figure('AUC')?.value).toBeGreaterThan(0.9);
    expect(figure('AUC')?.byFold).toHaveLength(3);
    expect(figure('AUC')?.interval?.groups).toBe(18);
    expect(figure('AUC')?.seedSd).not.toBeNull();
    expect(figure('sensitivity')?.value).toBeGreaterThan(0.6);
    for (const { value, interval } of result.figures) {
      expect(interval?.low).toBeLessThanOrEqual(value + 1e-12);
      expect(interval?.high).toBeGreaterThanOrEqual(value - 1e-12);
    }
    expect(result.models).toHaveLength(6);
    expect(result.thresholds).toHaveLength(3);
    const { checks } = result;
    expect(checks?.slides).toBe(36);
    expect(checks?.shuffled?.heads).toBe(1);
    // Taking away what is weighed most costs more than taking away any tiles.
    expect(checks?.deletion.probability[4]).toBeLessThan(checks?.randomDeletion.probability[4] ?? 0);
  }, 120_000);

  it('learns the same whatever the labels of the test slides are', async () => {
    const data = cohort(12, 3);
    const plan: StudyPlan = { ...PLAN, seeds: [1], shuffledHeads: 0, training: { ...PLAN.training, epochs: 2 } };
    const splits = plannedSplits(data.cases, plan).splits.slice(0, 1);
    const given: StudyPlan = { ...plan, splitting: { kind: 'given', splits } };
    const tested = new Set(splits[0]?.test);
    const poisoned = data.cases.map((item, i) =>
      tested.has(i) ? { ...item, label: item.label === 'tumour' ? 'normal' : 'tumour' } : item,
    );
    const honest = await trainStudy(data, given, worker);
    const wrong = await trainStudy({ ...data, cases: poisoned }, given, worker);
    expect(wrong.models).toEqual(honest.models);
    expect(wrong.thresholds).toEqual(honest.thresholds);
    expect(wrong.predictions).toEqual(honest.predictions);
    const auc = (result: typeof honest) => result.figures[0]?.value ?? 0;
    expect(auc(wrong)).toBeCloseTo(1 - auc(honest), 12);
    // Neither other slides in their place nor other numbers of the classes reach what is learned and chosen.
    const standardised: StudyPlan = { ...given, training: { ...given.training, standardise: true } };
    const same = await trainStudy(data, standardised, worker);
    const other = await trainStudy(
      {
        ...{ ...data, cases: data.cases.map((item, i) => (tested.has(i) ? { ...item, label: 'tumour' } : item)) },
        features: async (i) => (await data.features(i)).map((value) => (tested.has(i) ? 5 - 3 * value : value)),
      },
      standardised,
      worker,
    );
    expect(other.models).toEqual(same.models);
    expect(other.thresholds).toEqual(same.thresholds);
    expect(other.predictions).not.toEqual(same.predictions);
  }, 60_000);

  it('ends the same when it was interrupted and goes on from the heads that are there', async () => {
    const plan: StudyPlan = { ...PLAN, training: { ...PLAN.training, epochs: 2 } };
    const data = cohort(12, 3);
    const whole = await trainStudy(data, plan, worker);
    const kept: StudyModel[] = [];
    const controller = new AbortController();
    const onModel = (model: StudyModel): void => {
      kept.push(model);
      if (kept.length === 3) controller.abort();
    };
    await expect(trainStudy(data, plan, worker, { onModel, signal: controller.signal })).rejects.toMatchObject({
      code: 'Cancelled',
    });
    expect(kept).toHaveLength(3);
    const trained: string[] = [];
    const resumed = await trainStudy(data, plan, worker, {
      known: (fold, seed) => kept.find((model) => model.fold === fold && model.seed === seed) ?? null,
      onEpoch: (fold, seed) => trained.push(`${fold} ${seed}`),
    });
    expect(new Set(trained)).toEqual(new Set(['1 2', '2 1', '2 2']));
    expect(resumed.models).toEqual(whole.models);
    expect(resumed.predictions).toEqual(whole.predictions);
    expect(resumed.figures).toEqual(whole.figures);
    expect(resumed.checks).toEqual(whole.checks);
  }, 60_000);

  it('finds nothing where there is nothing', async () => {
    const { figures } = await trainStudy(cohort(18, 0), { ...PLAN, seeds: [1], shuffledHeads: 0 }, worker);
    const auc = figures.find(({ name }) => name === 'AUC');
    expect(auc?.interval?.low).toBeLessThan(0.5);
    expect(auc?.seedSd).toBeNull();
  }, 120_000);

  it('takes the positive class the user chose', async () => {
    const plan: StudyPlan = { ...PLAN, seeds: [1], shuffledHeads: 0, training: { ...PLAN.training, epochs: 2 } };
    const second = await trainStudy(cohort(12, 4), plan, worker);
    const first = await trainStudy(cohort(12, 4), { ...plan, positiveClass: 'normal' }, worker);
    expect([second.positive, first.positive]).toEqual([1, 0]);
    const auc = (result: typeof first) => result.figures[0]?.value;
    expect(auc(first)).toBeCloseTo(auc(second) ?? 0, 9);
    await expect(trainStudy(cohort(12, 4), { ...plan, positiveClass: 'x' }, worker)).rejects.toThrow(/no label/);
  }, 60_000);

  it('names what nothing can be learned from before it trains anything', async () => {
    const untouched = { train: () => Promise.reject(new Error('trained')), predict: worker.predict.bind(worker) };
    const refuse = async (data: StudyData, plan: StudyPlan, message: RegExp) =>
      expect(trainStudy(data, plan, untouched)).rejects.toThrow(message);
    const data = cohort(12, 1);
    const bag = (index: number, broken: Float32Array): StudyData => ({
      ...data,
      features: (i) => (i === index ? Promise.resolve(broken) : data.features(i)),
    });
    await refuse({ ...data, cases: data.cases.map((item) => ({ ...item, label: 'same' })) }, PLAN, /same label/);
    const leaking = [{ train: [0, 2, 4, 6, 8], validation: [1, 3, 5, 7], test: [9, 10, 11] }];
    await refuse(data, { ...PLAN, splitting: { kind: 'given', splits: leaking } }, /patient 0/);
    await refuse(bag(3, new Float32Array(DIM).fill(Number.NaN)), PLAN, /not numbers: slide 3/);
    await refuse(bag(5, new Float32Array(0)), PLAN, /no tiles: slide 5/);
    await refuse(bag(7, new Float32Array(DIM + 1)), PLAN, /one length/);
    const rare = data.cases.map((item, i) => (i < 2 ? { ...item, label: 'rare' } : item));
    await refuse({ ...data, cases: rare }, PLAN, /Class rare has 1 patient/);
  });
});
