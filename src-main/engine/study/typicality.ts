import { AppError } from '../../../src-shared/errors.ts';
import type { Samples } from './linear-model.ts';

/**
 * The training slides as one Gaussian: what an unseen slide is compared with. With fewer slides than features the
 * covariance is kept as the slides themselves, and inverted by Woodbury's identity: the same distances, count x count
 * numbers instead of dim x dim.
 */
export interface TypicalityModel {
  readonly mean: Float64Array;
  /** Share of the spherical target in the covariance, 0..1. */
  readonly shrinkage: number;
  /** Lower Cholesky factor: of the shrunk covariance (dim x dim), or of Woodbury's inner matrix (count x count). */
  readonly factor: Float64Array;
  /** The centred slides (count x dim) and the spherical part of the covariance; null where `factor` is the covariance's. */
  readonly dual: { readonly centred: Float64Array; readonly sphere: number } | null;
}

/** A covariance shrunk to less than this share of its sphere cannot be inverted through its slides. */
const LEAST_SPHERE = 1e-4;

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
  const trace = centred.reduce((sum, value) => sum + value * value, 0) / count;
  if (count < 2 || !(trace > 0)) {
    throw new AppError('InvalidRequest', 'Too few different training slides to say what is typical.');
  }
  const sphere = trace / dim;
  const small = count < dim;
  // X'X and XX' have the same Frobenius norm: the smaller one will do.
  const gram = small ? products(centred, count, dim) : scatter(centred, count, dim);
  const shrinkage = ledoitWolfShrinkage(centred, gram, count, dim, sphere);
  if (small && shrinkage >= LEAST_SPHERE) {
    const alpha = (1 - shrinkage) / count;
    const beta = shrinkage * sphere;
    if (alpha === 0) return { mean, shrinkage, factor: new Float64Array(0), dual: { centred, sphere: beta } };
    const inner = gram.map((value, at) => value + (Math.floor(at / count) === at % count ? beta / alpha : 0));
    return { mean, shrinkage, factor: cholesky(inner, count), dual: { centred, sphere: beta } };
  }
  const weight = Math.max(shrinkage, LEAST_SPHERE * Number(small));
  const covariance = (small ? scatter(centred, count, dim) : gram).map((sum, at) => {
    const diagonal = Math.floor(at / dim) === at % dim ? weight * sphere : 0;
    return ((1 - weight) * sum) / count + diagonal;
  });
  return { mean, shrinkage, factor: cholesky(covariance, dim), dual: null };
}

/** Mahalanobis distance of each row from the training slides. */
export function mahalanobis(model: TypicalityModel, { data, count, dim }: Samples): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => {
    const row = Float64Array.from({ length: dim }, (_, j) => (data[i * dim + j] as number) - (model.mean[j] as number));
    return Math.sqrt(Math.max(0, model.dual === null ? squaredLength(model.factor, row) : dualSquare(model, row)));
  });
}

/** (|y|^2 - z' M^-1 z) / sphere with z = Xy: Woodbury's identity. */
function dualSquare({ factor, dual }: TypicalityModel, row: Float64Array): number {
  if (dual === null) return Number.NaN;
  const { centred, sphere } = dual;
  const squares = row.reduce((sum, value) => sum + value * value, 0);
  if (factor.length === 0) return squares / sphere;
  const count = centred.length / row.length;
  const along = Float64Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let j = 0, at = i * row.length; j < row.length; j++, at++) sum += (centred[at] as number) * (row[j] as number);
    return sum;
  });
  return (squares - squaredLength(factor, along)) / sphere;
}

/** |L^-1 y|^2 for a lower Cholesky factor. */
function squaredLength(factor: Float64Array, y: Float64Array): number {
  const n = y.length;
  const solved = new Float64Array(n);
  let squares = 0;
  for (let r = 0; r < n; r++) {
    let value = y[r] as number;
    for (let c = 0; c < r; c++) value -= (factor[r * n + c] as number) * (solved[c] as number);
    value /= factor[r * n + r] as number;
    solved[r] = value;
    squares += value * value;
  }
  return squares;
}

/**
 * What a share q of further slides stays below when they are like the held-out ones: the smallest held-out distance
 * with at least q (n + 1) of them at or below it; the largest where there are too few for that.
 * Source: split conformal prediction (Vovk et al. 2005): with 19 slides or more at most 1 - q of further ones lie beyond.
 */
export function heldOutQuantile(heldOutDistances: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(heldOutDistances).sort();
  return sorted[Math.min(sorted.length, Math.ceil(q * (sorted.length + 1))) - 1] ?? Number.NaN;
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

/** XX', count x count. */
function products(x: Float64Array, count: number, dim: number): Float64Array {
  const out = new Float64Array(count * count);
  for (let a = 0; a < count; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = 0;
      for (let j = 0; j < dim; j++) sum += (x[a * dim + j] as number) * (x[b * dim + j] as number);
      out[a * count + b] = sum;
      out[b * count + a] = sum;
    }
  }
  return out;
}

/** min(beta, delta) / delta: noise of the sample covariance over its distance from the sphere. */
function ledoitWolfShrinkage(
  centred: Float64Array,
  gram: Float64Array,
  count: number,
  dim: number,
  sphere: number,
): number {
  const norm = gram.reduce((sum, value) => sum + value * value, 0) / (count * count);
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
