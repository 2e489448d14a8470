import { describe, expect, it } from 'vitest';
import { RandomStream } from '../backbone/random-stream.ts';
import type { Bag, BagSet } from './bag.ts';
import { HeadEvaluator } from './evaluate-head.ts';
import { fitScaling, foldScaling, scaledBags } from './feature-scaling.ts';
import { evaluationGraph } from './head-graph.ts';
import type { HeadSpec, Pooling } from './head-spec.ts';

const DIM = 6;
const stream = new RandomStream(4, 'features of odd scale');
/** Feature d has mean 100 d and spread 10^(d - 3); the last one does not vary. */
const bags: Bag[] = [3, 8, 5].map((tiles, label) => ({
  label: label % 2,
  features: Float32Array.from({ length: tiles * DIM }, (_, at) => {
    const d = at % DIM;
    return d === DIM - 1 ? 7 : 100 * d + 10 ** (d - 3) * stream.nextNormal();
  }),
}));
const set: BagSet = {
  count: bags.length,
  get: async (i) => bags[i] ?? { features: new Float32Array(0), label: 0 },
};

describe('standardised features', () => {
  it('have mean 0 and variance 1 over all tiles of the bags; what does not vary is left at 0', async () => {
    const scaled = scaledBags(set, await fitScaling(set, DIM));
    const all = (await Promise.all(bags.map((_, i) => scaled.get(i)))).flatMap(({ features }) => [...features]);
    for (let d = 0; d < DIM; d++) {
      const column = all.filter((_, at) => at % DIM === d);
      const mean = column.reduce((sum, value) => sum + value, 0) / column.length;
      const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / column.length;
      expect(mean).toBeCloseTo(0, 2);
      expect(variance).toBeCloseTo(d === DIM - 1 ? 0 : 1, 2);
    }
  });

  it.each(['histotransfer', 'mean'] as const)('go into the weights of a %s head', async (pooling: Pooling) => {
    const spec: HeadSpec = { pooling, gated: false, featureDim: DIM, classes: 2, seed: 2 };
    const { model, parameters } = evaluationGraph(spec);
    const tensors = model.graph.initializers.filter(({ name }) => parameters.includes(name));
    const weights = new Map(tensors.map(({ name, data }) => [name, new Float32Array(data.slice().buffer)]));
    const scaling = await fitScaling(set, DIM);
    const inner = await HeadEvaluator.open(spec, weights);
    const outer = await HeadEvaluator.open(spec, foldScaling(spec, weights, scaling));
    const expected = await inner.predict((await scaledBags(set, scaling).get(1)).features);
    const got = await outer.predict(bags[1]?.features ?? new Float32Array(DIM));
    await inner.close();
    await outer.close();
    for (const [c, logit] of expected.logits.entries()) expect(got.logits[c]).toBeCloseTo(logit, 1);
    for (const [t, value] of expected.attention.entries()) expect(got.attention[t]).toBeCloseTo(value, 2);
  });
});
