import type { BagSet } from './bag.ts';
import type { HeadWeights } from './evaluate-head.ts';
import { embeddingWidths, type HeadSpec } from './head-spec.ts';

/** Mean and spread of each feature over all tiles of the training bags; a feature that does not vary keeps its scale. */
export interface FeatureScaling {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

/** One pass over the training bags (Welford's update, so that large means lose nothing). Every tile weighs the same. */
export async function fitScaling(bags: BagSet, featureDim: number): Promise<FeatureScaling> {
  const mean = new Float64Array(featureDim);
  const squares = new Float64Array(featureDim);
  let count = 0;
  for (let index = 0; index < bags.count; index++) {
    const { features } = await bags.get(index);
    for (let at = 0; at < features.length; at += featureDim) {
      count++;
      for (let d = 0; d < featureDim; d++) {
        const value = features[at + d] as number;
        const step = value - (mean[d] as number);
        mean[d] = (mean[d] as number) + step / count;
        squares[d] = (squares[d] as number) + step * (value - (mean[d] as number));
      }
    }
  }
  return { mean, scale: squares.map((sum) => (sum > 0 ? Math.sqrt(sum / count) : 1)) };
}

/** The bags with every feature brought to mean 0 and variance 1 of the training part. */
export function scaledBags(bags: BagSet, { mean, scale }: FeatureScaling): BagSet {
  return {
    count: bags.count,
    get: async (index) => {
      const bag = await bags.get(index);
      const { features } = bag;
      const scaled = new Float32Array(features.length);
      for (let at = 0; at < features.length; at += mean.length) {
        for (let d = 0; d < mean.length; d++) {
          scaled[at + d] = ((features[at + d] as number) - (mean[d] as number)) / (scale[d] as number);
        }
      }
      return { ...bag, features: scaled };
    },
  };
}

/**
 * Weights of a head trained on scaled features, as weights that take the features as they are: the scaling goes into
 * the first linear layer. W' = W / scale by row, b' = b - (mean / scale) W.
 */
export function foldScaling(spec: HeadSpec, weights: HeadWeights, { mean, scale }: FeatureScaling): HeadWeights {
  const first = embeddingWidths(spec.pooling).length > 0 ? 'embed0' : 'classify';
  const [weight, bias] = [weights.get(`${first}_weight`), weights.get(`${first}_bias`)];
  if (weight === undefined || bias === undefined) throw new Error(`a head without the layer ${first}`);
  const outputs = bias.length;
  const shift = Float64Array.from(bias);
  const folded = weight.map((value, at) => {
    const [d, o] = [Math.floor(at / outputs), at % outputs];
    shift[o] = (shift[o] as number) - ((mean[d] as number) / (scale[d] as number)) * value;
    return value / (scale[d] as number);
  });
  return new Map([...weights, [`${first}_weight`, folded], [`${first}_bias`, Float32Array.from(shift)]]);
}
