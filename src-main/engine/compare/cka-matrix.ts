import type { CkaMatrix } from '../../../src-shared/model/comparison.ts';
import type { Samples } from '../study/linear-model.ts';

/** A layer's features of the images that all layers saw, in the same order. */
export interface CkaLayer {
  readonly name: string;
  readonly samples: Samples;
}

/** One batch of a layer: inner products of its rows, their row sums, with and without the diagonal. */
interface BatchGram {
  /** Diagonal included. */
  readonly values: Float64Array;
  readonly sums: Float64Array;
}

/** Rows of a batch: few enough that all layers' Gram matrices of a batch fit in memory. */
const BATCH = 256;

/**
 * Linear CKA between all layers. Biased: HSIC_0 of Kornblith et al. 2019 on centred Gram matrices; unbiased: HSIC_1
 * summed over batches and divided once (Nguyen et al. 2021, eq. 3), which does not grow with the number of features.
 * Each layer's Gram matrix of a batch is made once for all pairs. Up to `BATCH` images both are exact; with more, the
 * biased one too is summed over batches. NaN where a layer does not vary, or with fewer than four images.
 */
export function ckaMatrix(layers: readonly CkaLayer[]): CkaMatrix {
  const images = layers[0]?.samples.count ?? 0;
  const size = layers.length;
  const biased = new Float64Array(size * size);
  const unbiased = new Float64Array(size * size);
  for (const [first, end] of batchesOf(images)) {
    const grams = layers.map(({ samples }) => batchGram(samples, first, end));
    for (let i = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        const [k, l] = [grams[i], grams[j]];
        if (k === undefined || l === undefined) continue;
        const { zero, one } = hsic(k, l, end - first);
        biased[i * size + j] = (biased[i * size + j] ?? 0) + zero;
        unbiased[i * size + j] = (unbiased[i * size + j] ?? 0) + one;
      }
    }
  }
  const rows = (sums: Float64Array): number[][] =>
    layers.map((_, i) =>
      layers.map((__, j) => {
        const at = (a: number, b: number): number => sums[Math.max(a, b) * size + Math.min(a, b)] ?? Number.NaN;
        return at(i, j) / Math.sqrt(at(i, i) * at(j, j));
      }),
    );
  return { images, layers: layers.map(({ name }) => name), biased: rows(biased), unbiased: rows(unbiased) };
}

/** Batches of nearly equal size, so that none is too small for the unbiased estimator. */
function batchesOf(images: number): (readonly [number, number])[] {
  const count = Math.max(1, Math.ceil(images / BATCH));
  const edge = (i: number): number => Math.round((i * images) / count);
  return Array.from({ length: count }, (_, i) => [edge(i), edge(i + 1)] as const);
}

function batchGram({ data, dim }: Samples, first: number, end: number): BatchGram {
  const n = end - first;
  // Centred on the batch: inner products of large means would swallow what varies. CKA does not change by it.
  const rows = new Float64Array(n * dim);
  for (let d = 0; d < dim; d++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += data[(first + i) * dim + d] as number;
    for (let i = 0; i < n; i++) rows[i * dim + d] = (data[(first + i) * dim + d] as number) - sum / n;
  }
  const values = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let d = 0, a = i * dim, b = j * dim; d < dim; d++, a++, b++)
        sum += (rows[a] as number) * (rows[b] as number);
      values[i * n + j] = sum;
      values[j * n + i] = sum;
    }
  }
  const sums = Float64Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < n; j++) if (j !== i) sum += values[i * n + j] as number;
    return sum;
  });
  return { values, sums };
}

/** HSIC_0 (of centred rows) and HSIC_1 (Song et al. 2012, eq. 5: diagonals left out). */
function hsic(k: BatchGram, l: BatchGram, n: number): { zero: number; one: number } {
  let all = 0;
  for (let at = 0; at < n * n; at++) all += (k.values[at] as number) * (l.values[at] as number);
  let diagonal = 0;
  let rowProduct = 0;
  let kSum = 0;
  let lSum = 0;
  for (let i = 0; i < n; i++) {
    diagonal += (k.values[i * n + i] as number) * (l.values[i * n + i] as number);
    rowProduct += (k.sums[i] as number) * (l.sums[i] as number);
    kSum += k.sums[i] as number;
    lSum += l.sums[i] as number;
  }
  const one = all - diagonal + (kSum * lSum) / ((n - 1) * (n - 2)) - (2 * rowProduct) / (n - 2);
  return { zero: all, one: n < 4 ? Number.NaN : one / (n * (n - 3)) };
}
