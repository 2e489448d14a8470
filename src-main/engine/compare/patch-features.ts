import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import { readImage } from '../infer/image-features.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import type { ProviderName } from '../infer/protocol.ts';
import type { Samples } from '../study/linear-model.ts';
import type { FeatureCache } from './feature-cache.ts';
import type { PatchImage } from './patch-task.ts';

export interface PatchFeatureRequest {
  readonly worker: InferenceWorker;
  readonly cache: FeatureCache;
  readonly modelPath: string;
  readonly card: BackboneCard;
  /** All come out of one pass over the images. */
  readonly cuts: readonly CutPoint[];
  readonly images: readonly PatchImage[];
  /** Threads of the session; 0 = all cores. */
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const BATCH = 16;

/**
 * Features of images at several cuts, one pass for all of them, by cut name; images whose features are in the cache are
 * not read again. Images are stretched to the card's input as `imageFeatures` does.
 *
 * @throws AppError FileUnreadable, BackboneUnreadable, BackboneFailed, DeviceFailed, Cancelled.
 */
export async function patchFeatures(request: PatchFeatureRequest): Promise<ReadonlyMap<string, Samples>> {
  const { cache, card, cuts, images } = request;
  const known = await Promise.all(cuts.map((cut) => cache.read(card, cut)));
  const missing = images.filter(({ sha256 }) => known.some((rows) => !rows.has(sha256)));
  if (missing.length > 0) await extract(request, missing, known);
  return new Map(
    cuts.map((cut, c) => {
      const data = new Float32Array(images.length * cut.featureDim);
      images.forEach(({ sha256 }, i) => {
        data.set(known[c]?.get(sha256) ?? [], i * cut.featureDim);
      });
      return [cut.name, { data, count: images.length, dim: cut.featureDim }];
    }),
  );
}

async function extract(
  { worker, cache, modelPath, card, cuts, threads, signal, onProgress }: PatchFeatureRequest,
  images: readonly PatchImage[],
  known: readonly Map<string, Float32Array>[],
): Promise<void> {
  const { input, inputName } = card;
  const { session } = await worker.load({ modelPath, cuts, input, inputName, threads, provider: 'cpu' });
  const bytesPerImage = input.widthPx * input.heightPx * 3;
  const valuesPerImage = cuts.reduce((sum, { featureDim }) => sum + featureDim, 0);
  const output = new SharedArrayBuffer(BATCH * valuesPerImage * Float32Array.BYTES_PER_ELEMENT);
  const decode = async (first: number): Promise<SharedArrayBuffer> => {
    const pixels = new SharedArrayBuffer(BATCH * bytesPerImage);
    await Promise.all(
      images.slice(first, first + BATCH).map(async ({ path }, i) => {
        new Uint8Array(pixels, i * bytesPerImage, bytesPerImage).set(await readImage(path, input));
      }),
    );
    return pixels;
  };
  try {
    let next = decode(0);
    for (let first = 0; first < images.length; first += BATCH) {
      if (signal?.aborted === true) throw new AppError('Cancelled', 'The comparison was cancelled.');
      const batch = images.slice(first, first + BATCH);
      const pixels = await next;
      // The next images are decoded while the network runs.
      next = decode(first + BATCH);
      next.catch(() => undefined);
      await worker.run({ session, pixels, pixelOffset: 0, count: batch.length, output, outputOffset: 0 });
      await keep(cache, card, cuts, batch, new Float32Array(output), known);
      onProgress?.(first + batch.length, images.length);
    }
    await next;
  } finally {
    await worker.release(session);
  }
}

/** A batch lies as one block per cut, each `batch` x featureDim. */
async function keep(
  cache: FeatureCache,
  card: BackboneCard,
  cuts: readonly CutPoint[],
  batch: readonly PatchImage[],
  values: Float32Array,
  known: readonly Map<string, Float32Array>[],
): Promise<void> {
  let offset = 0;
  for (const [c, cut] of cuts.entries()) {
    const rows = batch.map(({ sha256 }, i) => {
      const from = offset + i * cut.featureDim;
      return { sha256, values: values.slice(from, from + cut.featureDim) };
    });
    const fresh = rows.filter(({ sha256 }) => known[c]?.has(sha256) !== true);
    for (const { sha256, values: row } of fresh) known[c]?.set(sha256, row);
    if (fresh.length > 0) await cache.add(card, cut, fresh);
    offset += batch.length * cut.featureDim;
  }
}

/** Runs of a measurement, the first included; more than the fewest only while they are quick. */
const FEWEST_RUNS = 3;
const MOST_RUNS = 8;
const ENOUGH_MS = 1500;

/** Milliseconds the network takes for one image up to a cut, alone on the device: the best of some batches. */
export async function measureMsPerImage(
  worker: InferenceWorker,
  modelPath: string,
  card: BackboneCard,
  cut: CutPoint,
  threads: number,
  provider: ProviderName = 'cpu',
): Promise<number> {
  const { input, inputName } = card;
  const count = 8;
  const { session } = await worker.load({ modelPath, cuts: [cut], input, inputName, threads, provider });
  const pixels = new SharedArrayBuffer(count * input.widthPx * input.heightPx * 3);
  const output = new SharedArrayBuffer(count * cut.featureDim * Float32Array.BYTES_PER_ELEMENT);
  let best = Number.POSITIVE_INFINITY;
  try {
    const beganMs = performance.now();
    for (let run = 0; run < FEWEST_RUNS || (run < MOST_RUNS && performance.now() - beganMs < ENOUGH_MS); run++) {
      const startedMs = performance.now();
      await worker.run({ session, pixels, pixelOffset: 0, count, output, outputOffset: 0 });
      // The first run fills caches and is not counted.
      if (run > 0) best = Math.min(best, (performance.now() - startedMs) / count);
    }
  } finally {
    await worker.release(session);
  }
  return best;
}
