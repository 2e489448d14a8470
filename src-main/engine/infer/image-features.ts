import sharp from 'sharp';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint, InputSpec } from '../../../src-shared/model/backbone.ts';
import { axisTaps, resampleBlock } from '../slide/resample.ts';
import { InferenceWorker } from './inference-worker.ts';

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
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Features of whole images, one row of `cut.featureDim` values each, in the order given. Each image is stretched to
 * the card's input size (antialiased bilinear, as tiles are) and normalised as the card says; transparency becomes white.
 *
 * @throws AppError FileUnreadable naming the image, BackboneUnreadable, BackboneFailed, DeviceFailed.
 */
export async function imageFeatures(request: ImageFeatureRequest): Promise<Float32Array[]> {
  const { modelPath, card, cut, images, threads = 0, batchSize = 16 } = request;
  const worker = request.worker ?? new InferenceWorker();
  try {
    const { input, inputName } = card;
    const { session } = await worker.load({ modelPath, cuts: [cut], input, inputName, threads, provider: 'cpu' });
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

/** Decodes an image and resamples it with the filter tiles are resampled with; beyond its edge, the edge goes on. */
export async function readImage(path: string, input: InputSpec): Promise<Uint8Array> {
  try {
    const image = sharp(path).rotate().flatten({ background: '#ffffff' }).toColourspace('srgb').removeAlpha();
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    if (width === input.widthPx && height === input.heightPx) return data;
    const xScale = width / input.widthPx;
    const yScale = height / input.heightPx;
    const margin = Math.ceil(Math.max(1, xScale, yScale)) + 1;
    const edges = { top: margin, bottom: margin, left: margin, right: margin, extendWith: 'copy' } as const;
    const raw = { width, height, channels: 3 } as const;
    const padded = await sharp(data, { raw }).extend(edges).raw().toBuffer();
    const [widthPx, heightPx] = [width + 2 * margin, height + 2 * margin];
    const out = new Uint8Array(input.widthPx * input.heightPx * 3);
    resampleBlock(
      { xPx: -margin, yPx: -margin, widthPx, heightPx, data: padded },
      axisTaps(input.widthPx, 0, xScale),
      axisTaps(input.heightPx, 0, yScale),
      { x: 0, y: 0, width: input.widthPx, height: input.heightPx },
      out,
      input.widthPx,
    );
    return out;
  } catch (cause) {
    throw new AppError('FileUnreadable', `The image "${path}" cannot be read.`, {
      advice: 'Choose JPEG, PNG, TIFF or WebP images.',
      detail: String(cause),
      cause,
    });
  }
}
