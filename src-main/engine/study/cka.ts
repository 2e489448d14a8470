import { AppError } from '../../../src-shared/errors.ts';

/** Activations of one layer: `count` rows (the same tiles for every layer) of `dim` values, row-major. */
export interface Activations {
  readonly data: ArrayLike<number>;
  readonly count: number;
  readonly dim: number;
}

/**
 * Linear CKA, biased: ||Y'X||_F^2 / (||X'X||_F ||Y'Y||_F) of column-centred activations, 0..1, without the n x n
 * matrices. 1 for activations that differ by rotation and scale only; NaN where either does not vary.
 * Source: Kornblith et al. 2019, eq. 4 and their reference notebook.
 * @throws AppError InvalidRequest where the row counts differ.
 */
export function linearCka(x: Activations, y: Activations): number {
  checkRows(x, y);
  const xc = columnCentred(x);
  const yc = columnCentred(y);
  return (
    crossSquares(xc, yc, x.count, x.dim, y.dim) /
    Math.sqrt(crossSquares(xc, xc, x.count, x.dim, x.dim) * crossSquares(yc, yc, x.count, y.dim, y.dim))
  );
}

/** Linear CKA from the unbiased HSIC estimator, which does not grow with the number of features. Needs four rows. */
export function linearCkaUnbiased(x: Activations, y: Activations): number {
  const sums = new MinibatchCka();
  sums.add(x, y);
  return sums.value();
}

/**
 * CKA with a Gaussian kernel whose bandwidth is `threshold` times the median distance between rows (Kornblith et al.'s
 * notebook), biased. Takes n x n memory.
 */
export function rbfCka(x: Activations, y: Activations, threshold: number): number {
  checkRows(x, y);
  const kx = doublyCentred(rbfGram(x, threshold), x.count);
  const ky = doublyCentred(rbfGram(y, threshold), x.count);
  return innerProduct(kx, ky) / Math.sqrt(innerProduct(kx, kx) * innerProduct(ky, ky));
}

/**
 * Unbiased linear CKA over minibatches of rows: HSIC_1 of XY, XX and YY is summed over batches and divided once at the
 * end, so that the result does not depend on how the rows are cut up, on average. Source: Nguyen et al. 2021, eq. 3.
 */
export class MinibatchCka {
  #xy = 0;
  #xx = 0;
  #yy = 0;

  /** @throws AppError InvalidRequest for fewer than four rows or different row counts. */
  add(x: Activations, y: Activations): void {
    checkRows(x, y);
    if (x.count < 4) {
      throw new AppError('InvalidRequest', 'Unbiased CKA needs at least four tiles in a batch.', {
        detail: `${x.count} rows`,
      });
    }
    const kx = linearGram(x);
    const ky = linearGram(y);
    this.#xy += unbiasedHsic(kx, ky, x.count);
    this.#xx += unbiasedHsic(kx, kx, x.count);
    this.#yy += unbiasedHsic(ky, ky, x.count);
  }

  /** NaN before the first batch, or where the activations do not vary. */
  value(): number {
    return this.#xy / Math.sqrt(this.#xx * this.#yy);
  }
}

function checkRows(x: Activations, y: Activations): void {
  if (x.count !== y.count || x.data.length !== x.count * x.dim || y.data.length !== y.count * y.dim) {
    throw new AppError('InvalidRequest', 'Layers can only be compared on the same tiles.', {
      detail: `${x.count} x ${x.dim} (${x.data.length}) and ${y.count} x ${y.dim} (${y.data.length})`,
    });
  }
}

function columnCentred({ data, count, dim }: Activations): Float64Array {
  const out = Float64Array.from(data);
  for (let j = 0; j < dim; j++) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += out[i * dim + j] ?? 0;
    for (let i = 0; i < count; i++) out[i * dim + j] = (out[i * dim + j] ?? 0) - sum / count;
  }
  return out;
}

/** Squared Frobenius norm of X'Y, a strip of columns of X at a time so that the product stays in the cache. */
function crossSquares(x: Float64Array, y: Float64Array, count: number, xDim: number, yDim: number): number {
  const strip = 32;
  let total = 0;
  const product = new Float64Array(strip * yDim);
  for (let first = 0; first < xDim; first += strip) {
    const width = Math.min(strip, xDim - first);
    product.fill(0);
    for (let i = 0; i < count; i++) {
      for (let a = 0; a < width; a++) {
        const value = x[i * xDim + first + a] as number;
        for (let b = 0, at = a * yDim, from = i * yDim; b < yDim; b++, at++, from++) {
          product[at] = (product[at] as number) + value * (y[from] as number);
        }
      }
    }
    for (let i = 0; i < width * yDim; i++) total += (product[i] as number) ** 2;
  }
  return total;
}

function linearGram({ data, count, dim }: Activations): Float64Array {
  const gram = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < dim; k++) sum += (data[i * dim + k] as number) * (data[j * dim + k] as number);
      gram[i * count + j] = sum;
      gram[j * count + i] = sum;
    }
  }
  return gram;
}

function rbfGram(x: Activations, threshold: number): Float64Array {
  const { count } = x;
  const dots = linearGram(x);
  const distances = dots.map((dot, at) => {
    const i = Math.floor(at / count);
    const j = at % count;
    return Math.max(0, (dots[i * count + i] ?? 0) + (dots[j * count + j] ?? 0) - 2 * dot);
  });
  const sorted = distances.slice().sort();
  const middle = sorted.length / 2;
  const median = ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle) - 1] ?? 0)) / 2;
  return distances.map((d) => Math.exp(-d / (2 * threshold * threshold * median)));
}

/** H K H with H = I - 1/n. */
function doublyCentred(gram: Float64Array, n: number): Float64Array {
  const means = Float64Array.from({ length: n }, (_, i) => {
    return gram.subarray(i * n, (i + 1) * n).reduce((sum, x) => sum + x, 0) / n;
  });
  const all = means.reduce((sum, x) => sum + x, 0) / n;
  return gram.map((value, at) => value - (means[Math.floor(at / n)] ?? 0) - (means[at % n] ?? 0) + all);
}

function innerProduct(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
}

/**
 * HSIC_1 of two Gram matrices (Song et al. 2012, eq. 5): diagonals left out, times n (n - 3), which cancels in CKA for
 * batches of one size and is divided out for others.
 */
function unbiasedHsic(k: Float64Array, l: Float64Array, n: number): number {
  const kRows = new Float64Array(n);
  const lRows = new Float64Array(n);
  let trace = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (i === j) continue;
      const a = k[i * n + j] as number;
      const b = l[i * n + j] as number;
      trace += a * b;
      kRows[i] = (kRows[i] as number) + a;
      lRows[i] = (lRows[i] as number) + b;
    }
  }
  const kSum = kRows.reduce((sum, x) => sum + x, 0);
  const lSum = lRows.reduce((sum, x) => sum + x, 0);
  const product = (kSum * lSum) / ((n - 1) * (n - 2));
  return (trace + product - (2 * innerProduct(kRows, lRows)) / (n - 2)) / (n * (n - 3));
}
