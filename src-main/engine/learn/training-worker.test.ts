import { afterAll, describe, expect, it } from 'vitest';
import { NO_REGULARISERS } from './head-spec.ts';
import { type BagSet, type HeadTraining, HISTOTRANSFER_TRAINING, trainHead } from './train-head.ts';
import { TrainingWorker } from './training-worker.ts';

const worker = new TrainingWorker();
afterAll(() => worker.close());

const training = (epochs: number): HeadTraining => ({
  ...HISTOTRANSFER_TRAINING,
  epochs,
  spec: { pooling: 'histotransfer', gated: false, featureDim: 4, classes: 2, seed: 1 },
  regularisers: NO_REGULARISERS,
  classWeights: [1, 1],
  seed: 2,
});

const bags: BagSet = {
  count: 6,
  get: async (index) => ({
    label: index % 2,
    features: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i + index) + (index % 2)),
  }),
};

describe('the training thread', () => {
  it('trains to the same weights as here, telling each epoch, and predicts with them', async () => {
    const epochs: number[] = [];
    const hooks = { onEpoch: ({ epoch }: { epoch: number }) => void epochs.push(epoch) };
    const there = await worker.train(training(3), bags, bags, hooks);
    const here = await trainHead(training(3), bags, bags);
    expect(epochs).toEqual([1, 2, 3]);
    expect(there.weights.get('classify_weight')).toEqual(here.weights.get('classify_weight'));
    const { features } = await bags.get(1);
    const { attention } = await worker.predict(training(3).spec, there.weights, features);
    expect(attention.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
  });

  it('stops when cancelled, and goes on with the next job', async () => {
    const controller = new AbortController();
    const hooks = { onEpoch: () => controller.abort(), signal: controller.signal };
    await expect(worker.train(training(5000), bags, bags, hooks)).rejects.toMatchObject({ code: 'Cancelled' });
    expect((await worker.train(training(1), bags, bags)).bestEpoch).toBe(1);
  });

  it('passes on what goes wrong with a bag', async () => {
    const broken: BagSet = { count: 1, get: async () => ({ label: 5, features: new Float32Array(4) }) };
    await expect(worker.train(training(1), broken, bags)).rejects.toMatchObject({ code: 'InvalidRequest' });
    const failing: BagSet = { count: 1, get: () => Promise.reject(new Error('gone')) };
    await expect(worker.train(training(1), failing, bags)).rejects.toMatchObject({ code: 'Internal' });
  });
});
