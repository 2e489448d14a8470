import { AppError } from '../../../src-shared/errors.ts';
import type { CkaMatrix, FineTuneChange } from '../../../src-shared/model/comparison.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import type { KernelProducts } from '../infer/protocol.ts';
import type { Samples } from '../study/linear-model.ts';

/** A layer's features of the images that all layers saw, in the same order. */
export interface CkaLayer {
  readonly name: string;
  readonly samples: Samples;
}

export interface CkaOptions {
  readonly worker: InferenceWorker;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Images of a batch: few enough that the kernel matrices of all layers fit in memory. */
const BATCH = 512;
/** Bandwidth of the Gaussian kernel as part of the median distance, as in the reference notebook's example. */
const RBF_THRESHOLD = 0.5;

/**
 * CKA between all layers, with a linear and a Gaussian kernel. Biased: HSIC_0 (Kornblith et al. 2019); unbiased: HSIC_1
 * summed over batches and divided once (Nguyen et al. 2021, eq. 3), which does not grow with the number of features.
 * Each layer's kernel matrix of a batch is made once for all pairs, by onnxruntime in single precision. Up to `BATCH`
 * images all values are those of the whole set; with more, the biased ones too are summed over batches. NaN where a
 * layer does not vary, or with fewer than four images.
 *
 * @throws AppError InvalidRequest where layers have different images, BackboneFailed, DeviceFailed, Cancelled.
 */
export async function ckaMatrix(layers: readonly CkaLayer[], options: CkaOptions): Promise<CkaMatrix> {
  const images = layers[0]?.samples.count ?? 0;
  checkSameImages(layers, images);
  const size = layers.length;
  const sums = { linear: zeroSums(size), rbf: zeroSums(size) };
  const batches = images < 4 ? [] : batchesOf(images);
  const scales = layers.map(({ samples }) => spreadOf(samples));
  for (const [b, [first, end]] of batches.entries()) {
    if (options.signal?.aborted === true) throw new AppError('Cancelled', 'The comparison was cancelled.');
    const count = end - first;
    const products = await options.worker.call('layerProducts', {
      layers: layers.map(({ samples }, l) => ({
        data: sharedRows(samples, first, end, scales[l] ?? { mean: new Float64Array(), scale: 1 }),
        dim: samples.dim,
      })),
      count,
      rbfThreshold: RBF_THRESHOLD,
      threads: options.threads,
    });
    addTo(sums.linear, products.linear, count);
    addTo(sums.rbf, products.rbf, count);
    options.onProgress?.(b + 1, batches.length);
  }
  return {
    images,
    layers: layers.map(({ name }) => name),
    biased: normalised(sums.linear.biased, size),
    unbiased: normalised(sums.linear.unbiased, size),
    batch: BATCH,
    rbf: {
      threshold: RBF_THRESHOLD,
      biased: normalised(sums.rbf.biased, size),
      unbiased: normalised(sums.rbf.unbiased, size),
    },
  };
}

/** The cells of a matrix that hold a cut of a backbone before and after it was fine-tuned. */
export function fineTuneChange(matrix: CkaMatrix, before: string, after: string): FineTuneChange {
  const cuts = matrix.layers.flatMap((name, i) => {
    if (!name.startsWith(`${before}@`)) return [];
    const cut = name.slice(before.length + 1);
    const j = matrix.layers.indexOf(`${after}@${cut}`);
    if (j < 0) return [];
    const at = (of: readonly (readonly number[])[] | undefined) => of?.[i]?.[j] ?? Number.NaN;
    return [{ cut, biased: at(matrix.biased), unbiased: at(matrix.unbiased), rbf: at(matrix.rbf?.unbiased) }];
  });
  return { before, after, cuts };
}

interface Sums {
  readonly biased: Float64Array;
  readonly unbiased: Float64Array;
}

function zeroSums(size: number): Sums {
  return { biased: new Float64Array(size * size), unbiased: new Float64Array(size * size) };
}

/** HSIC_0 = <K, L> / (n - 1)^2 and HSIC_1 = <K, L> / (n (n - 3)) of kernels centred for them. */
function addTo(sums: Sums, { biased, unbiased }: KernelProducts, n: number): void {
  for (let at = 0; at < sums.biased.length; at++) {
    sums.biased[at] = (sums.biased[at] ?? 0) + (biased[at] ?? Number.NaN) / (n - 1) ** 2;
    sums.unbiased[at] = (sums.unbiased[at] ?? 0) + (unbiased[at] ?? Number.NaN) / (n * (n - 3));
  }
}

function normalised(sums: Float64Array, size: number): number[][] {
  const at = (i: number, j: number): number => sums[i * size + j] ?? Number.NaN;
  return Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (__, j) => (i === j && at(i, i) > 0 ? 1 : at(i, j) / Math.sqrt(at(i, i) * at(j, j)))),
  );
}

/** Batches of nearly equal size, so that none is too small for the unbiased estimator. */
function batchesOf(images: number): (readonly [number, number])[] {
  const count = Math.max(1, Math.ceil(images / BATCH));
  const edge = (i: number): number => Math.round((i * images) / count);
  return Array.from({ length: count }, (_, i) => [edge(i), edge(i + 1)] as const);
}

interface Spread {
  readonly mean: Float64Array;
  readonly scale: number;
}

/**
 * Means of the features, and what brings their common spread to 1: single precision then holds layers of any size, as
 * those of random networks are. Neither changes CKA.
 */
function spreadOf({ data, count, dim }: Samples): Spread {
  const mean = new Float64Array(dim);
  for (let at = 0; at < count * dim; at++) mean[at % dim] = (mean[at % dim] as number) + (data[at] as number) / count;
  let squares = 0;
  for (let at = 0; at < count * dim; at++) squares += ((data[at] as number) - (mean[at % dim] as number)) ** 2;
  return { mean, scale: squares > 0 ? Math.sqrt(count / squares) : 0 };
}

function sharedRows({ data, dim }: Samples, first: number, end: number, { mean, scale }: Spread): SharedArrayBuffer {
  const shared = new SharedArrayBuffer((end - first) * dim * Float32Array.BYTES_PER_ELEMENT);
  const out = new Float32Array(shared);
  for (let i = 0; i < out.length; i++) {
    out[i] = scale * ((data[first * dim + i] as number) - (mean[i % dim] as number));
  }
  return shared;
}

function checkSameImages(layers: readonly CkaLayer[], images: number): void {
  const odd = layers.find(({ samples }) => samples.count !== images);
  if (odd === undefined) return;
  throw new AppError('InvalidRequest', 'Layers can only be compared on the same images.', {
    detail: `${odd.name}: ${odd.samples.count} rows, not ${images}`,
  });
}
