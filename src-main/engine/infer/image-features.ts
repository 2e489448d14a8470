import sharp from 'sharp';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint, InputSpec } from '../../../src-shared/model/backbone.ts';
import { resizeToInput } from './fit-input.ts';
import { InferenceWorker } from './inference-worker.ts';
import type { ProviderName } from './protocol.ts';

export interface ImageFeatureRequest {
  readonly modelPath: string;
  readonly card: BackboneCard;
  readonly cut: CutPoint;
  /** Image files (JPEG, PNG, TIFF, WebP). */
  readonly images: readonly string[];
  /** Threads of the session; 0 = all cores. */
  readonly threads?: number;
  readonly batchSize?: number;
  /** A running inference thread to use; else one is started and ended again. */
  readonly worker?: InferenceWorker;
  /** What it runs on; the CPU if left out. */
  readonly provider?: ProviderName;
  /** Folder of optimised graphs, for the thread that is started here. */
  readonly graphCache?: string;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Features of whole images, one row of `cut.featureDim` values each, in the order given. Each image is resized, cropped
 * and normalised as the card says; transparency becomes white.
 *
 * @throws AppError FileUnreadable naming the image, BackboneUnreadable, BackboneFailed, DeviceFailed.
 */
export async function imageFeatures(request: ImageFeatureRequest): Promise<Float32Array[]> {
  const { modelPath, card, cut, images, threads = 0, batchSize = 16, provider = 'cpu' } = request;
  const worker = request.worker ?? new InferenceWorker(request.graphCache ?? null);
  try {
    const { input, inputName } = card;
    const { session } = await worker.load({ modelPath, cuts: [cut], input, inputName, threads, provider });
    const bytesPerImage = input.widthPx * input.heightPx * 3;
    const pixels = new SharedArrayBuffer(batchSize * bytesPerImage);
    const output = new SharedArrayBuffer(batchSize * cut.featureDim * Float32Array.BYTES_PER_ELEMENT);
    const rows: Float32Array[] = [];
    for (let first = 0; first < images.length; first += batchSize) {
      const batch = images.slice(first, first + batchSize);
      await Promise.all(
        batch.map(async (path, i) => {
          new Uint8Array(pixels, i * bytesPerImage, bytesPerImage).set(await readImage(path, input));
        }),
      );
      await worker.run({ session, pixels, pixelOffset: 0, count: batch.length, output, outputOffset: 0 });
      const values = new Float32Array(output);
      for (let i = 0; i < batch.length; i += 1) rows.push(values.slice(i * cut.featureDim, (i + 1) * cut.featureDim));
      request.onProgress?.(rows.length, images.length);
    }
    await worker.release(session);
    return rows;
  } finally {
    if (!request.worker) await worker.close();
  }
}

/** Decodes an image and brings it to the input size as the card says, bit for bit as Pillow does. */
export async function readImage(path: string, input: InputSpec): Promise<Uint8Array> {
  try {
    const image = sharp(path).rotate().flatten({ background: '#ffffff' }).toColourspace('srgb').removeAlpha();
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    return resizeToInput(data, width, height, input);
  } catch (cause) {
    throw new AppError('FileUnreadable', `The image "${path}" cannot be read.`, {
      advice: 'Choose JPEG, PNG, TIFF or WebP images.',
      detail: String(cause),
      cause,
    });
  }
}
