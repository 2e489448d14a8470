import { AppError, type ErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import type { Interpolation } from '../../../src-shared/model/backbone.ts';
import { givePixels } from '../codec/pixel-pool.ts';
import { pixelsMissing } from './slide-errors.ts';
import type { SlideSource } from './slide-source.ts';

/** A rectangle of the slide in level-0 pixels (float). */
export interface BatchRegion {
  readonly x0Px: number;
  readonly y0Px: number;
  readonly widthLevel0Px: number;
  readonly heightLevel0Px: number;
}

/** Regions to be written one after another as RGB bytes into shared memory, `outWidthPx * outHeightPx * 3` each. */
export interface RegionBatch {
  readonly regions: readonly BatchRegion[];
  readonly outWidthPx: number;
  readonly outHeightPx: number;
  /** The filter they are resampled with; bilinear if left out. */
  readonly interpolation?: Interpolation;
  readonly output: SharedArrayBuffer;
  /** Byte offset of the first region in `output`. */
  readonly offset: number;
}

/** What a decode worker receives. */
export interface DecodeRequest extends RegionBatch {
  readonly id: number;
  /** Place of each region in `output`, counted in regions from `offset`; absent: one after another. */
  readonly slots?: readonly number[];
}

/** What a decode worker answers; `error` null means the bytes are in place. */
export interface DecodeReply {
  readonly id: number;
  readonly error: ErrorPayload | null;
}

/**
 * Reads the regions of a batch into its shared memory. Two regions are in flight at a time, so that one decodes while
 * the other is resampled. `repaint` may change the pixels of each region in place. Throws InvalidRequest where the batch does not fit its memory, else as `readRegion`.
 */
export async function readRegionBatch(
  source: SlideSource,
  batch: RegionBatch & { readonly slots?: readonly number[] },
  repaint: ((rgb: Uint8Array) => void) | null = null,
): Promise<void> {
  const { regions, outWidthPx, outHeightPx, output, offset, interpolation } = batch;
  const regionBytes = outWidthPx * outHeightPx * 3;
  const slots = batch.slots ?? regions.map((_region, index) => index);
  const end = Math.max(0, ...slots.map((slot) => slot + 1));
  if (offset < 0 || Math.min(0, ...slots) < 0 || offset + regionBytes * end > output.byteLength) {
    throw new AppError('InvalidRequest', 'The regions do not fit the memory they were given.');
  }
  const bytes = new Uint8Array(output, offset, regionBytes * end);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < regions.length) {
      const index = next++;
      const region = regions[index];
      if (region === undefined) return;
      const image = await source.readRegion({
        ...{ ...region, outWidthPx, outHeightPx },
        ...(interpolation === undefined ? {} : { interpolation }),
      });
      // Hatching is no tissue: features of it would be an invention.
      if (image.missing === true) throw pixelsMissing(region);
      repaint?.(image.data);
      bytes.set(image.data, (slots[index] ?? index) * regionBytes);
      givePixels(image.data);
    }
  };
  await Promise.all([work(), work()]);
}

/** `readRegionBatch` as a worker answers it: never rejects. */
export async function answerBatch(
  source: Promise<SlideSource>,
  request: DecodeRequest,
  repaint: ((rgb: Uint8Array) => void) | null = null,
): Promise<DecodeReply> {
  try {
    await readRegionBatch(await source, request, repaint);
    return { id: request.id, error: null };
  } catch (error) {
    return { id: request.id, error: toErrorPayload(error) };
  }
}
