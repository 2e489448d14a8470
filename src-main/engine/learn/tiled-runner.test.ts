import { describe, expect, it } from 'vitest';
import { RandomStream } from '../backbone/random-stream.ts';
import { splitRows } from '../graph/autodiff/row-split.ts';
import { HEAD, trainingGraph } from './head-graph.ts';
import { type HeadSpec, NO_REGULARISERS, type Pooling } from './head-spec.ts';
import { type Bag, type HeadTraining, HISTOTRANSFER_TRAINING, trainHead } from './train-head.ts';

const DIM = 10;
const POOLINGS: readonly Pooling[] = ['histotransfer', 'abmil', 'clam-sb', 'mean', 'max'];
const REGULARISED = { ...NO_REGULARISERS, featureDropout: 0.2, tileDropout: 0.2, entropyWeight: 0.1 };
const spec = (pooling: Pooling): HeadSpec => ({ pooling, gated: false, featureDim: DIM, classes: 2, seed: 3 });

function bagOf(tiles: number, label: number): Bag {
  const stream = new RandomStream(tiles, 'bag');
  return { features: Float32Array.from({ length: tiles * DIM }, () => stream.nextNormal()), label };
}

async function weightsAfter(pooling: Pooling, tilesAtOnce: number) {
  const bags = [bagOf(37, 0), bagOf(16, 1), bagOf(101, 1)];
  const set = { count: bags.length, get: async (i: number) => bags[i] ?? bagOf(1, 0) };
  const training: HeadTraining = {
    ...HISTOTRANSFER_TRAINING,
    // Plain gradient descent shows the gradient itself; Adam would hide a wrong size of it.
    ...{ optimiser: { kind: 'sgd', momentum: 0 }, rate: 0.05, epochs: 1, seed: 4, classWeights: [1, 2] },
    spec: spec(pooling),
    threads: 1,
    regularisers: { ...REGULARISED, instanceWeight: pooling === 'clam-sb' ? 0.3 : 0 },
  };
  return await trainHead(training, set, set, { tilesAtOnce });
}

describe('a bag that goes through in parts', () => {
  it.each(POOLINGS)('trains as the whole bag does: %s', async (pooling) => {
    const whole = await weightsAfter(pooling, 1000);
    for (const tilesAtOnce of pooling === 'histotransfer' ? [1, 16, 100] : [16]) {
      const parts = await weightsAfter(pooling, tilesAtOnce);
      expect(parts.history[0]?.trainLoss).toBeCloseTo(whole.history[0]?.trainLoss ?? 0, 5);
      const largest = (values: Iterable<number>) =>
        [...values].reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const scale = largest([...whole.weights.values()].map(largest));
      for (const [name, expected] of whole.weights) {
        const actual = parts.weights.get(name) ?? new Float32Array();
        const worst = largest(expected.map((value, i) => value - (actual[i] ?? Number.NaN)));
        expect(worst / scale, `${name}, ${tilesAtOnce} at once`).toBeLessThan(1e-6);
      }
    }
  });

  it('holds no more of all tiles than embeddings and scores', () => {
    const graph = trainingGraph(spec('histotransfer'), REGULARISED);
    const { border, rowInputs } = splitRows(graph.model, 'N', [HEAD.loss]);
    expect(border.map(({ dims }) => dims)).toEqual([
      ['N', 64],
      ['N', 1],
    ]);
    expect(rowInputs).toEqual([HEAD.features, HEAD.tileMask]);
  });
});
