import { AppError } from '../../../src-shared/errors.ts';
import { sortedQuantile } from '../../../src-shared/numeric/quantile.ts';
import type { Samples } from './linear-model.ts';

/** The training slides as one Gaussian: what an unseen slide is compared with. */
export interface TypicalityModel {
  readonly mean: Float64Array;
  /** Lower Cholesky factor of the shrunk covariance, dim x dim, row-major. */
  readonly factor: Float64Array;
  /** Share of the spherical target in the covariance, 0..1. */
  readonly shrinkage: number;
}

/**
 * Mean and covariance of training slides, shrunk towards a sphere so that it can be inverted however few slides there
 * are. Source: Ledoit and Wolf 2004 (as scikit-learn's LedoitWolf).
 * @throws AppError InvalidRequest for fewer than two slides or slides that are all the same.
 */
export function fitTypicality(samples: Samples): TypicalityModel {
  const { count, dim } = samples;
  const mean = columnMean(samples);
  const centred = new Float64Array(samples.data.length);
  for (let at = 0; at < centred.length; at++) centred[at] = (samples.data[at] as number) - (mean[at % dim] as number);
  const covariance = scatter(centred, count, dim).map((sum) => sum / count);
  let trace = 0;
  for (let j = 0; j < dim; j++) trace += covariance[j * dim + j] as number;
  if (count < 2 || !(trace > 0)) {
    throw new AppError('InvalidRequest', 'Too few different training slides to say what is typical.');
  }
  const sphere = trace / dim;
  const shrinkage = ledoitWolfShrinkage(centred, covariance, count, dim, sphere);
  const shrunk = covariance.map((value, at) => {
    const diagonal = Math.floor(at / dim) === at % dim ? shrinkage * sphere : 0;
    return (1 - shrinkage) * value + diagonal;
  });
  return { mean, factor: cholesky(shrunk, dim), shrinkage };
}

/** Mahalanobis distance of each row from the training slides. */
export function mahalanobis({ mean, factor }: TypicalityModel, { data, count, dim }: Samples): Float64Array {
  const solved = new Float64Array(dim);
  return Float64Array.from({ length: count }, (_, i) => {
    let squares = 0;
    for (let r = 0; r < dim; r++) {
      let value = (data[i * dim + r] as number) - (mean[r] as number);
      for (let c = 0; c < r; c++) value -= (factor[r * dim + c] as number) * (solved[c] as number);
      value /= factor[r * dim + r] as number;
      solved[r] = value;
      squares += value * value;
    }
    return Math.sqrt(squares);
  });
}

/** The distance beyond which a slide counts as unlike the training data: the 95th percentile of held-out slides. */
export function typicalityThreshold(heldOutDistances: ArrayLike<number>): number {
  return sortedQuantile(Float64Array.from(heldOutDistances).sort(), 0.95);
}

function columnMean({ data, count, dim }: Samples): Float64Array {
  const mean = new Float64Array(dim);
  for (let at = 0; at < data.length; at++) mean[at % dim] = (mean[at % dim] as number) + (data[at] as number) / count;
  return mean;
}

/** X'X, dim x dim. */
function scatter(x: Float64Array, count: number, dim: number): Float64Array {
  const out = new Float64Array(dim * dim);
  for (let i = 0; i < count; i++) {
    for (let a = 0; a < dim; a++) {
      const value = x[i * dim + a] as number;
      for (let b = 0; b <= a; b++) out[a * dim + b] = (out[a * dim + b] as number) + value * (x[i * dim + b] as number);
    }
  }
  for (let a = 0; a < dim; a++) for (let b = 0; b < a; b++) out[b * dim + a] = out[a * dim + b] as number;
  return out;
}

/** min(beta, delta) / delta: noise of the sample covariance over its distance from the sphere. */
function ledoitWolfShrinkage(
  centred: Float64Array,
  covariance: Float64Array,
  count: number,
  dim: number,
  sphere: number,
): number {
  const norm = covariance.reduce((sum, value) => sum + value * value, 0);
  const distance = (norm - dim * sphere * sphere) / dim;
  let fourth = 0;
  for (let i = 0; i < count; i++) {
    let squares = 0;
    for (let j = 0; j < dim; j++) squares += (centred[i * dim + j] as number) ** 2;
    fourth += squares * squares;
  }
  const noise = (fourth / count - norm) / (dim * count);
  return distance > 0 ? Math.min(noise, distance) / distance : 1;
}

/** L with L L' = matrix, for a positive definite matrix. */
function cholesky(matrix: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  for (let r = 0; r < n; r++) {
    for (let c = 0; c <= r; c++) {
      let sum = matrix[r * n + c] as number;
      for (let k = 0; k < c; k++) sum -= (l[r * n + k] as number) * (l[c * n + k] as number);
      l[r * n + c] = r === c ? Math.sqrt(sum) : sum / (l[c * n + c] as number);
    }
  }
  return l;
}
