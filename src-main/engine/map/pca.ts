import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { columnMeans, type FeatureMatrix } from './feature-matrix.ts';
import { type SymmetricEigen, symmetricEigen } from './symmetric-eigen.ts';

export interface Pca {
  /** Mean feature vector, `dim` long. */
  readonly mean: Float64Array;
  /** Unit-length components, `dim` long each, strongest first; the largest loading of each is positive. */
  readonly components: readonly Float64Array[];
  /** Variance along each component (divided by n - 1, as scikit-learn does). */
  readonly variance: Float64Array;
  /** Share of all variance; 0 where there is none. */
  readonly varianceShare: Float64Array;
  /** Scores of the tiles: count x components, row-major. */
  readonly scores: Float64Array;
}

/** Vectors worked on at once: one more than the three a colour needs, and what the inner loops are unrolled for. */
const BLOCK = 4;
/** Bound on the Krylov space; its Rayleigh quotient is decomposed densely. */
const MAX_BASIS = 128;

/**
 * The strongest principal components (at most 4), without forming the dim x dim covariance: block Lanczos with full
 * reorthogonalisation on the centred data, until the residual of every wanted pair is below 1e-7 of the largest
 * eigenvalue, or the space is exhausted and the result exact, or 128 basis vectors are in use (then the components
 * hardly differ in strength, and any of their mixtures is as good). Source: Golub and Van Loan, Matrix Computations, 10.3;
 * convergence in few blocks: Musco and Musco 2015. Components without variance come back as zero vectors with scores 0.
 * @param seed of the starting block; the result depends on it by rounding only.
 */
export function pca(features: FeatureMatrix, componentCount: number, seed: number): Pca {
  const { count, dim } = features;
  const wanted = Math.min(componentCount, BLOCK);
  const mean = columnMeans(features);
  const totalSquares = centredSquares(features, mean);
  const found = totalSquares > 0 ? topEigenpairs(features, mean, wanted, seed) : { values: [], vectors: [] };
  const components: Float64Array[] = [];
  const variance = new Float64Array(wanted);
  const varianceShare = new Float64Array(wanted);
  for (let c = 0; c < wanted; c++) {
    const eigenvalue = Math.max(0, found.values[c] ?? 0);
    const vector = found.vectors[c];
    const real = vector !== undefined && eigenvalue > 1e-12 * totalSquares;
    components.push(real ? withFixedSign(vector) : new Float64Array(dim));
    variance[c] = real ? eigenvalue / Math.max(1, count - 1) : 0;
    varianceShare[c] = real ? eigenvalue / totalSquares : 0;
  }
  return { mean, components, variance, varianceShare, scores: project(features, mean, components) };
}

function centredSquares({ data, count, dim }: FeatureMatrix, mean: Float64Array): number {
  let sum = 0;
  let raw = 0;
  for (let i = 0, at = 0; i < count; i++) {
    for (let j = 0; j < dim; j++, at++) {
      const value = data[at] ?? 0;
      const centred = value - (mean[j] ?? 0);
      sum += centred * centred;
      raw += value * value;
    }
  }
  // What rounding of the mean leaves behind is not variance.
  return sum > 1e-24 * raw ? sum : 0;
}

/** Largest loading positive; the first of equals decides. */
function withFixedSign(vector: Float64Array): Float64Array {
  let largest = 0;
  for (const value of vector) if (Math.abs(value) > Math.abs(largest) * (1 + 1e-9)) largest = value;
  return largest < 0 ? vector.map((value) => -value) : vector;
}

function project(features: FeatureMatrix, mean: Float64Array, components: readonly Float64Array[]): Float64Array {
  const { data, count, dim } = features;
  const scores = new Float64Array(count * components.length);
  components.forEach((component, c) => {
    const offset = dot(component, mean);
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (let j = 0, at = i * dim; j < dim; j++, at++) sum += (data[at] ?? 0) * (component[j] ?? 0);
      scores[i * components.length + c] = sum - offset;
    }
  });
  return scores;
}

interface Eigenpairs {
  readonly values: readonly number[];
  readonly vectors: readonly Float64Array[];
}

function topEigenpairs(features: FeatureMatrix, mean: Float64Array, wanted: number, seed: number): Eigenpairs {
  const { dim } = features;
  const random = seededRandom(seed);
  const basis: Float64Array[] = [];
  const images: Float64Array[] = [];
  const limit = Math.min(dim, MAX_BASIS);
  let nextCheck = 2 * BLOCK;
  let block = Array.from({ length: BLOCK }, () => Float64Array.from({ length: dim }, () => nextGaussian(random)));
  for (;;) {
    const fresh = orthonormalise(block, basis, limit - basis.length);
    if (fresh.length === 0) return ritzPairs(basis, images, wanted);
    basis.push(...fresh);
    const applied = applyScatter(features, mean, fresh);
    images.push(...applied);
    // The dense step costs the cube of the basis, so it comes at growing intervals.
    if (basis.length >= nextCheck || basis.length >= limit) {
      const pairs = ritzPairs(basis, images, wanted);
      if (basis.length >= limit || converged(pairs)) return pairs;
      nextCheck = Math.ceil(basis.length * 1.3);
    }
    block = applied.map((vector) => vector.slice());
  }
}

interface RitzPairs extends Eigenpairs {
  /** Length of A v - value v for each pair. */
  readonly residuals: readonly number[];
}

function converged({ values, residuals }: RitzPairs): boolean {
  return residuals.every((residual) => residual <= 1e-7 * (values[0] ?? 0));
}

/** Best eigenpairs within the span of `basis`, given the images A b of its vectors. */
function ritzPairs(basis: readonly Float64Array[], images: readonly Float64Array[], wanted: number): RitzPairs {
  const m = basis.length;
  const small = new Float64Array(m * m);
  for (let i = 0; i < m; i++) {
    for (let j = i; j < m; j++) {
      const value = dot(basis[i], images[j]);
      small[i * m + j] = value;
      small[j * m + i] = value;
    }
  }
  const eigen: SymmetricEigen = symmetricEigen(small, m);
  const kept = eigen.vectors.slice(0, wanted);
  const values = Array.from(eigen.values.subarray(0, kept.length));
  const vectors = kept.map((weights) => combine(basis, weights));
  const residuals = kept.map((weights, i) => {
    const image = combine(images, weights);
    const vector = vectors[i];
    return Math.sqrt(image.reduce((sum, x, j) => sum + (x - (values[i] ?? 0) * (vector?.[j] ?? 0)) ** 2, 0));
  });
  return { values, vectors, residuals };
}

function combine(vectors: readonly Float64Array[], weights: Float64Array): Float64Array {
  const out = new Float64Array(vectors[0]?.length ?? 0);
  vectors.forEach((vector, i) => {
    const weight = weights[i] ?? 0;
    for (let j = 0; j < out.length; j++) out[j] = (out[j] ?? 0) + weight * (vector[j] ?? 0);
  });
  return out;
}

/** Those directions of `block` that are new to `basis`, orthonormal; at most `room` of them. Writes into `block`. */
function orthonormalise(block: readonly Float64Array[], basis: readonly Float64Array[], room: number): Float64Array[] {
  const fresh: Float64Array[] = [];
  for (const vector of block) {
    if (fresh.length >= room) break;
    const before = Math.sqrt(dot(vector, vector));
    // Twice is enough (Kahan, Parlett): once leaves rounding behind when little is left of the vector.
    for (let pass = 0; pass < 2; pass++) {
      for (const known of [...basis, ...fresh]) {
        const share = dot(known, vector);
        for (let j = 0; j < vector.length; j++) vector[j] = (vector[j] ?? 0) - share * (known[j] ?? 0);
      }
    }
    const length = Math.sqrt(dot(vector, vector));
    if (!(length > 1e-10 * before)) continue;
    for (let j = 0; j < vector.length; j++) vector[j] = (vector[j] ?? 0) / length;
    fresh.push(vector);
  }
  return fresh;
}

function dot(a: Float64Array | undefined, b: Float64Array | undefined): number {
  let sum = 0;
  for (let i = 0; i < (a?.length ?? 0); i++) sum += (a?.[i] ?? 0) * (b?.[i] ?? 0);
  return sum;
}

/** (X - 1 mean')' (X - 1 mean') v for up to four vectors in one pass over the features. */
function applyScatter(
  features: FeatureMatrix,
  mean: Float64Array,
  vectors: readonly Float64Array[],
): readonly Float64Array[] {
  const { data, count, dim } = features;
  const v = new Float64Array(dim * BLOCK);
  const out = new Float64Array(dim * BLOCK);
  vectors.forEach((vector, b) => {
    for (let j = 0; j < dim; j++) v[j * BLOCK + b] = vector[j] ?? 0;
  });
  const [m0 = 0, m1 = 0, m2 = 0, m3 = 0] = vectors.map((vector) => dot(mean, vector));
  const sums = new Float64Array(BLOCK);
  for (let i = 0; i < count; i++) {
    let s0 = -m0;
    let s1 = -m1;
    let s2 = -m2;
    let s3 = -m3;
    for (let j = 0, at = i * dim, k = 0; j < dim; j++, at++, k += BLOCK) {
      const x = data[at] as number;
      s0 += x * (v[k] as number);
      s1 += x * (v[k + 1] as number);
      s2 += x * (v[k + 2] as number);
      s3 += x * (v[k + 3] as number);
    }
    sums[0] = (sums[0] as number) + s0;
    sums[1] = (sums[1] as number) + s1;
    sums[2] = (sums[2] as number) + s2;
    sums[3] = (sums[3] as number) + s3;
    for (let j = 0, at = i * dim, k = 0; j < dim; j++, at++, k += BLOCK) {
      const x = data[at] as number;
      out[k] = (out[k] as number) + x * s0;
      out[k + 1] = (out[k + 1] as number) + x * s1;
      out[k + 2] = (out[k + 2] as number) + x * s2;
      out[k + 3] = (out[k + 3] as number) + x * s3;
    }
  }
  return vectors.map((_, b) =>
    Float64Array.from({ length: dim }, (_unused, j) => (out[j * BLOCK + b] ?? 0) - (mean[j] ?? 0) * (sums[b] ?? 0)),
  );
}
