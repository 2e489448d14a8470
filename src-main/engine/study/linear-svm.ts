import { seededRandom, shuffledIndices } from '../../../src-shared/numeric/random.ts';
import type { LinearModel, Samples } from './linear-model.ts';

export interface SvmOptions {
  /** Weight of the loss against the norm of the weights. */
  readonly c: number;
  readonly seed: number;
  /** Largest violation of optimality left. */
  readonly tolerance?: number;
  readonly maxPasses?: number;
}

/**
 * Linear SVM with squared hinge loss and L2 penalty, one class against the rest: scikit-learn's LinearSVC with its
 * defaults, the offset learnt as the weight of a constant feature and so penalised too. Dual coordinate descent in
 * seeded random order. Source: Hsieh et al. 2008, algorithm 1 (L2-loss).
 * @param labels class of each row, 0..classes-1.
 */
export function fitLinearSvm(
  samples: Samples,
  labels: ArrayLike<number>,
  classes: number,
  options: SvmOptions,
): LinearModel {
  const targets = classes === 2 ? [1] : Array.from({ length: classes }, (_, k) => k);
  const fits = targets.map((target) => {
    const signs = Int8Array.from({ length: samples.count }, (_, i) => (labels[i] === target ? 1 : -1));
    return fitBinary(samples, signs, options);
  });
  return {
    classes,
    weights: fits.map(({ weights }) => weights),
    offsets: fits.map(({ offset }) => offset),
    converged: fits.every(({ converged }) => converged),
  };
}

interface BinaryFit {
  readonly weights: Float64Array;
  readonly offset: number;
  readonly converged: boolean;
}

function fitBinary({ data, count, dim }: Samples, signs: Int8Array, options: SvmOptions): BinaryFit {
  const { c, seed, tolerance = 1e-4, maxPasses = 1000 } = options;
  const random = seededRandom(seed);
  const ridge = 1 / (2 * c);
  const weights = new Float64Array(dim);
  let offset = 0;
  const alpha = new Float64Array(count);
  const curvature = rowSquares(data, count, dim).map((squares) => squares + 1 + ridge);
  for (let pass = 0; pass < maxPasses; pass++) {
    let highest = Number.NEGATIVE_INFINITY;
    let lowest = Number.POSITIVE_INFINITY;
    for (const i of shuffledIndices(count, random)) {
      const sign = signs[i] as number;
      const start = i * dim;
      let value = offset;
      for (let j = 0; j < dim; j++) value += (data[start + j] as number) * (weights[j] as number);
      const old = alpha[i] as number;
      const gradient = sign * value - 1 + ridge * old;
      const projected = old === 0 ? Math.min(gradient, 0) : gradient;
      highest = Math.max(highest, projected);
      lowest = Math.min(lowest, projected);
      if (projected === 0) continue;
      const next = Math.max(0, old - gradient / (curvature[i] as number));
      const step = (next - old) * sign;
      alpha[i] = next;
      offset += step;
      for (let j = 0; j < dim; j++) weights[j] = (weights[j] as number) + step * (data[start + j] as number);
    }
    if (highest - lowest <= tolerance) return { weights, offset, converged: true };
  }
  return { weights, offset, converged: false };
}

function rowSquares(data: Samples['data'], count: number, dim: number): Float64Array {
  const out = new Float64Array(count);
  for (let i = 0, at = 0; i < count; i++) {
    for (let j = 0; j < dim; j++, at++) out[i] = (out[i] as number) + (data[at] as number) ** 2;
  }
  return out;
}
