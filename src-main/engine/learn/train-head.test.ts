import { describe, expect, it } from 'vitest';
import { RandomStream } from '../backbone/random-stream.ts';
import { ADAM } from '../graph/optimise/optimiser.ts';
import { encodeModel } from '../graph/proto.ts';
import { loadRuntime } from '../infer/runtime.ts';
import { exportHead, HeadEvaluator } from './evaluate-head.ts';
import { evaluationGraph, HEAD } from './head-graph.ts';
import { type HeadSpec, NO_REGULARISERS, type Pooling } from './head-spec.ts';
import { type Bag, type BagSet, type HeadTraining, HISTOTRANSFER_TRAINING, trainHead } from './train-head.ts';

const DIM = 12;
const POOLINGS: readonly Pooling[] = ['histotransfer', 'abmil', 'clam-sb', 'mean', 'max'];
const spec = (pooling: Pooling, gated = false): HeadSpec => ({
  pooling,
  gated,
  featureDim: DIM,
  classes: 2,
  seed: 3,
});

/** Bags of noise; in a positive bag every fourth tile carries a shift along three dimensions. */
function cohort(count: number, seed: number): { bags: Bag[]; lesions: boolean[][] } {
  const stream = new RandomStream(seed, 'cohort');
  const lesions: boolean[][] = [];
  const bags = Array.from({ length: count }, (_, i) => {
    const label = i % 2;
    const tiles = 12 + (i % 5);
    const planted = Array.from({ length: tiles }, (_, t) => label === 1 && t % 4 === 1);
    lesions.push(planted);
    const features = new Float32Array(tiles * DIM);
    for (let j = 0; j < features.length; j++) {
      const shift = planted[Math.floor(j / DIM)] && j % DIM < 3 ? 2.5 : 0;
      features[j] = stream.nextNormal() + shift;
    }
    return { features, label };
  });
  return { bags, lesions };
}

const setOf = (bags: readonly Bag[]): BagSet => ({
  count: bags.length,
  get: async (index) => bags[index] ?? { features: new Float32Array(0), label: 0 },
});

const training = (pooling: Pooling, changes: Partial<HeadTraining> = {}): HeadTraining => ({
  ...HISTOTRANSFER_TRAINING,
  keepBestBy: 'loss',
  epochs: 8,
  spec: spec(pooling),
  regularisers: pooling === 'clam-sb' ? { ...NO_REGULARISERS, instanceWeight: 0.3 } : NO_REGULARISERS,
  classWeights: [1, 1],
  seed: 11,
  ...changes,
});

async function untrained(pooling: Pooling) {
  const { model, parameters } = evaluationGraph(spec(pooling));
  const tensors = model.graph.initializers.filter(({ name }) => parameters.includes(name));
  const weights = new Map(tensors.map(({ name, data }) => [name, new Float32Array(data.slice().buffer)]));
  return { evaluator: await HeadEvaluator.open(spec(pooling), weights), weights };
}

describe.each(POOLINGS)('the %s head', (pooling) => {
  it('weighs tiles so that they sum to 1, whatever their order, down to a bag of one', async () => {
    const { evaluator } = await untrained(pooling);
    const { features } = cohort(2, 5).bags[1] ?? { features: new Float32Array(0) };
    const tiles = features.length / DIM;
    const forward = await evaluator.predict(features);
    const reversed = new Float32Array(features.length);
    for (let t = 0; t < tiles; t++) reversed.set(features.subarray(t * DIM, (t + 1) * DIM), (tiles - 1 - t) * DIM);
    const backward = await evaluator.predict(reversed);
    expect(forward.attention.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(forward.probabilities.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    for (const [c, logit] of forward.logits.entries()) expect(backward.logits[c]).toBeCloseTo(logit, 5);
    for (const [t, value] of forward.attention.entries())
      expect(backward.attention[tiles - 1 - t]).toBeCloseTo(value, 6);
    const single = await evaluator.predict(features.subarray(0, DIM));
    expect(single.attention[0]).toBeCloseTo(1, 6);
    await evaluator.close();
  });

  it('explains its logits: contributions and bias add up to them', async () => {
    if (pooling === 'max') return;
    const { evaluator, weights } = await untrained(pooling);
    const { features } = cohort(2, 6).bags[1] ?? { features: new Float32Array(0) };
    const { logits, contributions } = await evaluator.predict(features);
    for (const [c, logit] of logits.entries()) {
      let sum = pooling === 'mean' ? 0 : (weights.get('classify_bias')?.[c] ?? 0);
      for (let t = 0; t < features.length / DIM; t++) sum += contributions[t * 2 + c] ?? 0;
      expect(sum).toBeCloseTo(logit, 4);
    }
    await evaluator.close();
  });

  it('learns slide labels', async () => {
    // The controls are linear: they need larger steps.
    const rate = pooling === 'mean' || pooling === 'max' ? 0.03 : 1e-3;
    const trained = await trainHead(training(pooling, { rate }), setOf(cohort(60, 1).bags), setOf(cohort(30, 2).bags));
    const best = trained.history[trained.bestEpoch - 1];
    expect(best?.validationAccuracy).toBeGreaterThanOrEqual(0.9);
    expect(trained.history.at(-1)?.trainLoss).toBeLessThan(trained.history[0]?.trainLoss ?? 0);
  });
});

describe('training', () => {
  it('finds the planted tiles by attention, without ever seeing a tile label', async () => {
    const trained = await trainHead(training('histotransfer'), setOf(cohort(80, 1).bags), setOf(cohort(30, 2).bags));
    const evaluator = await HeadEvaluator.open(spec('histotransfer'), trained.weights);
    const { bags, lesions } = cohort(20, 9);
    let [right, pairs] = [0, 0];
    for (const [i, bag] of bags.entries()) {
      const { attentionScores } = await evaluator.predict(bag.features);
      for (const [a, planted] of (lesions[i] ?? []).entries()) {
        if (!planted) continue;
        for (const [b, other] of (lesions[i] ?? []).entries()) {
          if (other) continue;
          pairs++;
          right += Number((attentionScores[a] ?? 0) > (attentionScores[b] ?? 0));
        }
      }
    }
    await evaluator.close();
    expect(right / pairs).toBeGreaterThan(0.95);
  });

  it('is repeatable by its seeds, and different with others', async () => {
    const run = async (seed: number) =>
      await trainHead(
        training('histotransfer', { epochs: 2, seed, regularisers: { ...NO_REGULARISERS, tileDropout: 0.3 } }),
        setOf(cohort(12, 1).bags),
        setOf(cohort(6, 2).bags),
      );
    const [first, again, other] = [await run(1), await run(1), await run(2)];
    expect(again.weights.get('score_weight')).toEqual(first.weights.get('score_weight'));
    expect(other.weights.get('score_weight')).not.toEqual(first.weights.get('score_weight'));
  });

  it('keeps attention wider where entropy is rewarded', async () => {
    const entropyOf = async (entropyWeight: number) => {
      const options = training('histotransfer', { regularisers: { ...NO_REGULARISERS, entropyWeight }, epochs: 6 });
      const { weights } = await trainHead(options, setOf(cohort(40, 1).bags), setOf(cohort(10, 2).bags));
      const evaluator = await HeadEvaluator.open(spec('histotransfer'), weights);
      const { attention } = await evaluator.predict(cohort(2, 4).bags[1]?.features ?? new Float32Array(DIM));
      await evaluator.close();
      return -attention.reduce((sum, a) => sum + a * Math.log(Math.max(a, 1e-12)), 0);
    };
    expect(await entropyOf(2)).toBeGreaterThan(await entropyOf(0));
  });

  it('scores the validation bags after each epoch, and keeps the weights of the best', async () => {
    const [train, held] = [cohort(30, 1).bags, cohort(10, 2).bags];
    // Steps so large that the loss goes up and down.
    const trained = await trainHead(training('histotransfer', { epochs: 5, rate: 0.02 }), setOf(train), setOf(held));
    const losses = trained.history.map(({ validationLoss }) => validationLoss);
    expect(losses[trained.bestEpoch - 1]).toBe(Math.min(...losses));
    const evaluator = await HeadEvaluator.open(spec('histotransfer'), trained.weights);
    let loss = 0;
    for (const { features, label } of held) {
      const { probabilities } = await evaluator.predict(features);
      loss -= Math.log(Math.max(probabilities[label] ?? 0, 1e-12)) / held.length;
    }
    await evaluator.close();
    expect(Math.min(...losses)).toBeCloseTo(loss, 9);
  });

  it('stops early, and refuses empty bags, unknown labels and features that are not numbers', async () => {
    const good = setOf(cohort(6, 1).bags);
    const stopped = await trainHead(training('mean', { epochs: 50, patience: 2, rate: 0.5 }), good, good);
    expect(stopped.history.length - stopped.bestEpoch).toBeLessThanOrEqual(2);
    for (const bag of [
      { features: new Float32Array(0), label: 0 },
      { features: new Float32Array(DIM), label: 2 },
      { features: new Float32Array(DIM).fill(Number.NaN), label: 0 },
      { features: new Float32Array(DIM + 1), label: 0 },
    ]) {
      await expect(trainHead(training('mean'), setOf([bag]), good)).rejects.toMatchObject({ code: 'InvalidRequest' });
    }
  });

  it('gives a plain ONNX model that says the same', async () => {
    const { weights } = await trainHead(
      training('abmil', { optimiser: ADAM, epochs: 1, spec: spec('abmil', true) }),
      setOf(cohort(4, 1).bags),
      setOf(cohort(4, 2).bags),
    );
    const features = cohort(2, 7).bags[1]?.features ?? new Float32Array(DIM);
    const evaluator = await HeadEvaluator.open(spec('abmil', true), weights);
    const expected = await evaluator.predict(features);
    await evaluator.close();
    const runtime = await loadRuntime();
    const session = await runtime.InferenceSession.create(encodeModel(exportHead(spec('abmil', true), weights)));
    const tensor = new runtime.Tensor('float32', features, [features.length / DIM, DIM]);
    const results = await session.run({ [HEAD.features]: tensor });
    await session.release();
    // Constants instead of inputs let the runtime add in another order.
    const found = results[HEAD.probabilities]?.data as Float32Array;
    for (const [c, value] of expected.probabilities.entries()) expect(found[c]).toBeCloseTo(value, 6);
  });
});
