import { afterAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src-shared/numeric/random.ts';
import { mean, midranks, sampleSd, spearman } from '../../../src-shared/numeric/statistics.ts';
import { floatsOf } from '../graph/model.ts';
import { AttentionWorker } from './attention-worker.ts';
import { type Ensemble, tileWorth } from './ensemble.ts';
import { type BagPrediction, HeadEvaluator, type HeadWeights } from './evaluate-head.ts';
import { featureMoments } from './feature-moments.ts';
import { evaluationGraph } from './head-graph.ts';
import type { HeadSpec, Pooling } from './head-spec.ts';
import { foldsFirst, judgeBag } from './judge-bag.ts';
import { TileEvaluator } from './tile-evaluator.ts';

const weightsOf = (spec: HeadSpec): HeadWeights => {
  const { model, parameters } = evaluationGraph(spec);
  const tensors = model.graph.initializers.filter(({ name }) => parameters.includes(name));
  return new Map(tensors.map((tensor) => [tensor.name, floatsOf(tensor)]));
};

const drawnBag = (tiles: number, dim: number, seed: number): Float32Array => {
  const random = seededRandom(seed);
  const features = new Float32Array(new SharedArrayBuffer(tiles * dim * 4));
  for (let i = 0; i < features.length; i++) features[i] = 4 * random() - 2;
  return features;
};

/** Heads on a bag one by one, by the path that trains and tests them. */
async function oneByOne(specs: readonly HeadSpec[], features: Float32Array): Promise<readonly BagPrediction[]> {
  const predictions: BagPrediction[] = [];
  for (const spec of specs) {
    const evaluator = await HeadEvaluator.open(spec, weightsOf(spec), 1);
    predictions.push(await evaluator.predict(features));
    await evaluator.close();
  }
  return predictions;
}

/** What the predictions say together, by the plain formulas. */
function reference(pooling: Pooling, predictions: readonly BagPrediction[]): Omit<Ensemble, 'heads' | 'classes'> {
  const tiles = predictions[0]?.attention.length ?? 0;
  const worth = predictions.map((each) => tileWorth(pooling, each));
  const ranks = worth.map((values) => midranks(values).map((rank) => (100 * (rank - 1)) / Math.max(1, tiles - 1)));
  const over = <T>(rows: readonly ArrayLike<number>[], join: (values: number[]) => T): T[] =>
    Array.from(rows[0] ?? [], (_, t) => join(rows.map((row) => row[t] ?? 0)));
  const pairs = worth.flatMap((a, i) => worth.slice(i + 1).map((b) => spearman(a, b)));
  const known = pairs.filter((value) => !Number.isNaN(value));
  return {
    attention: Float32Array.from(
      over(
        predictions.map(({ attention }) => attention),
        (values) => mean(values) * tiles,
      ),
    ),
    contributions: Float32Array.from(
      over(
        predictions.map(({ contributions }) => contributions),
        mean,
      ),
    ),
    spread: Float32Array.from(over(ranks, (values) => (values.length > 1 ? sampleSd(values) : 0))),
    probabilities: predictions.map(({ probabilities }) => [...probabilities]),
    agreement: known.length === 0 ? null : mean(known),
  };
}

function expectClose(found: Float32Array, expected: Float32Array, tolerance = 1e-6): void {
  expect(found.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < found.length; i++) {
    const [a, b] = [found[i] ?? Number.NaN, expected[i] ?? Number.NaN];
    const off = Math.abs(a - b) / Math.max(1, Math.abs(b));
    if (!(off <= worst)) worst = off;
  }
  expect(worst).toBeLessThanOrEqual(tolerance);
}

const POOLINGS = ['histotransfer', 'abmil', 'clam-sb', 'mean', 'max'] as const;

describe('heads of an ensemble on one bag', () => {
  it.each(POOLINGS)('say what they say one by one, over whole bags and bags of one: %s', async (pooling) => {
    // More tiles than go through at once, so that parts meet inside the bag.
    const bags = [
      { tiles: 4500, dim: 5, heads: 4 },
      { tiles: 37, dim: 3, heads: 3 },
      { tiles: 1, dim: 4, heads: 2 },
      { tiles: 2, dim: 6, heads: 1 },
    ];
    for (const [n, { tiles, dim, heads }] of bags.entries()) {
      const specs = Array.from({ length: heads }, (_, i) => {
        return { pooling, gated: n % 2 === 1, featureDim: dim, classes: 2 + (n % 2), seed: 10 * n + i } as const;
      });
      const [spec] = specs;
      if (spec === undefined) throw new Error('no head');
      const features = drawnBag(tiles, dim, n);
      const evaluator = await TileEvaluator.open(spec, 1);
      const request = specs.map((each, i) => ({ fold: i % 2, seed: each.seed, weights: weightsOf(each) }));
      const { ensemble, moments } = await judgeBag(evaluator, {
        spec,
        heads: request,
        features,
        askedAtMs: Date.now(),
      });
      await evaluator.close();
      const expected = reference(pooling, await oneByOne(specs, features));
      expect(ensemble.heads).toBe(heads);
      expectClose(ensemble.attention, expected.attention);
      expectClose(ensemble.contributions, expected.contributions);
      for (const [i, row] of expected.probabilities.entries()) {
        expectClose(Float32Array.from(ensemble.probabilities[i] ?? []), Float32Array.from(row ?? []));
      }
      expect(mean(ensemble.attention)).toBeCloseTo(1, 5);
      expect(moments).toEqual(featureMoments(features, dim));
      // Two paths may rank tiles differently that differ in the last bit: a few percentile points of few tiles.
      expect(mean(ensemble.spread.map((value, t) => Math.abs(value - (expected.spread[t] ?? 0))))).toBeLessThan(0.01);
      if (expected.agreement === null) expect(ensemble.agreement).toBeNull();
      else expect(ensemble.agreement).toBeCloseTo(expected.agreement, 4);
    }
  });

  it('begin with one seed of each fold, and are told of when these are in', async () => {
    const folds = [0, 0, 0, 1, 1, 2].map((fold) => ({ fold }));
    expect(foldsFirst(folds)).toEqual([0, 3, 5, 1, 4, 2]);
    const spec: HeadSpec = { pooling: 'mean', gated: false, featureDim: 2, classes: 2, seed: 1 };
    const heads = folds.map(({ fold }, seed) => ({ fold, seed, weights: weightsOf({ ...spec, seed }) }));
    const evaluator = await TileEvaluator.open(spec, 1);
    const told: (readonly [number, readonly number[]])[] = [];
    await judgeBag(
      evaluator,
      { spec, heads, features: drawnBag(9, 2, 3), askedAtMs: Date.now() },
      {
        onSoFar: ({ heads: count, probabilities }) =>
          told.push([count, [...probabilities.keys()].filter((i) => probabilities[i] !== null)]),
      },
    );
    await evaluator.close();
    expect(told[0]).toEqual([3, [0, 3, 5]]);
    expect(told.at(-1)).toEqual([6, [0, 1, 2, 3, 4, 5]]);
  });

  const worker = new AttentionWorker(1);
  afterAll(() => worker.close());

  it('stop between parts where the map is no longer wanted, and the next bag is judged', async () => {
    const spec: HeadSpec = { pooling: 'histotransfer', gated: false, featureDim: 64, classes: 2, seed: 1 };
    const heads = Array.from({ length: 200 }, (_, seed) => ({ fold: seed, seed, weights: weightsOf(spec) }));
    const features = drawnBag(20_000, 64, 1);
    const stop = new AbortController();
    let told = 0;
    // Asked long ago: the first head is told at once.
    const judging = worker.judge(
      { spec, heads, features, askedAtMs: 0 },
      ({ heads: done }) => {
        told = done;
        stop.abort();
      },
      stop.signal,
    );
    await expect(judging).rejects.toMatchObject({ code: 'Cancelled' });
    expect(told).toBeLessThan(200);
    const two = { spec, heads: heads.slice(0, 2), features: features.subarray(0, 640), askedAtMs: Date.now() };
    const { ensemble } = await worker.judge(two, () => {}, new AbortController().signal);
    expect(ensemble.heads).toBe(2);
  });
});
