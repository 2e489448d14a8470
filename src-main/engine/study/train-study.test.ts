import { afterAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../backbone/random-stream.ts';
import { NO_REGULARISERS } from '../learn/head-spec.ts';
import { HISTOTRANSFER_TRAINING } from '../learn/train-head.ts';
import { TrainingWorker } from '../learn/training-worker.ts';
import type { StudyCase } from './splits.ts';
import { type StudyData, type StudyPlan, trainStudy } from './train-study.ts';

const worker = new TrainingWorker();
afterAll(() => worker.close());

const DIM = 8;
const PLAN: StudyPlan = {
  head: { pooling: 'histotransfer', gated: false },
  regularisers: NO_REGULARISERS,
  training: { ...HISTOTRANSFER_TRAINING, epochs: 6, keepBestBy: 'loss' },
  balanceClasses: true,
  folds: 3,
  splitSeed: 4,
  seeds: [1, 2],
  groupsAreImages: false,
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

describe('a cross-validated study', () => {
  it('judges every case once, by heads that saw neither it nor its patient, and finds the signal', async () => {
    const data = cohort(18, 4);
    const seen = new Map<string, Set<number>>();
    let turn = '';
    const watched: StudyData = {
      ...data,
      features: (index) => {
        if (turn !== '') seen.set(turn, (seen.get(turn) ?? new Set()).add(index));
        return data.features(index);
      },
    };
    let fold = 0;
    const spied = {
      train: async (...args: Parameters<TrainingWorker['train']>) => {
        turn = `fold ${Math.floor(fold++ / 2)}`;
        const trained = await worker.train(...args);
        turn = '';
        return trained;
      },
      predict: worker.predict.bind(worker),
    };
    const result = await trainStudy(watched, PLAN, spied);
    expect(result.predictions.map(({ caseIndex }) => caseIndex).sort((a, b) => a - b)).toEqual(
      data.cases.map((_, i) => i),
    );
    for (const { caseIndex, fold: tested } of result.predictions) {
      const patient = data.cases[caseIndex]?.group;
      const trainedOn = [...(seen.get(`fold ${tested}`) ?? [])].map((index) => data.cases[index]?.group);
      expect(trainedOn.length).toBeGreaterThan(0);
      expect(trainedOn).not.toContain(patient);
    }
    const auc = result.figures.find(({ name }) => name === 'AUC');
    expect(auc?.value).toBeGreaterThan(0.9);
    expect(auc?.byFold).toHaveLength(3);
    expect(auc?.interval?.groups).toBe(18);
    expect(auc?.seedSd).not.toBeNull();
    expect(result.models).toHaveLength(6);
  }, 120_000);

  it('finds nothing where there is nothing', async () => {
    const { figures } = await trainStudy(cohort(18, 0), { ...PLAN, seeds: [1] }, worker);
    const auc = figures.find(({ name }) => name === 'AUC');
    expect(auc?.interval?.low).toBeLessThan(0.5);
    expect(auc?.seedSd).toBeNull();
  }, 120_000);

  it('refuses one class, a patient in two parts, and features that are not numbers, before or while training', async () => {
    const one = { ...cohort(6, 1), cases: cohort(6, 1).cases.map((item) => ({ ...item, label: 'same' })) };
    await expect(trainStudy(one, PLAN, worker)).rejects.toThrow(/same label/);
    const leaking = [{ train: [0, 2, 4, 6, 8], validation: [1, 3, 5, 7], test: [9, 10, 11] }];
    await expect(trainStudy(cohort(6, 1), PLAN, worker, {}, leaking)).rejects.toThrow(/patient 0/);
    const broken = { ...cohort(12, 1), features: async () => new Float32Array(DIM).fill(Number.NaN) };
    await expect(trainStudy(broken, PLAN, worker)).rejects.toMatchObject({ code: 'InvalidRequest' });
  });

  it('can be cancelled', async () => {
    const controller = new AbortController();
    const hooks = { signal: controller.signal, onModel: () => controller.abort() };
    await expect(trainStudy(cohort(12, 1), PLAN, worker, hooks)).rejects.toMatchObject({ code: 'Cancelled' });
  });
});
