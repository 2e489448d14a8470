import type { InputSpec } from '../../../src-shared/model/backbone.ts';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import { tileRef } from '../grid/laid-grid.ts';
import { seenRegion, WHOLE_IMAGE } from '../infer/fit-input.ts';
import { createDecodePool } from '../slide/decode-pool.ts';
import type { BatchRegion } from '../slide/region-batch.ts';
import type { SlideLibrary } from './slide-library.ts';

/** Tiles of a grid as a backbone sees them when it computes features. */
export function seenTiles(laid: LaidGrid, indices: readonly number[], input: InputSpec): readonly BatchRegion[] {
  return indices.map((index) => seenRegion(tileRef(laid, index), input));
}

/**
 * Pixels of regions of a slide at the size a network takes, one after another, interleaved RGB.
 *
 * @throws AppError SlideMoved where the file is gone, as `SlideSource.readRegion`, Cancelled.
 */
export async function readTiles(
  library: SlideLibrary,
  slideId: SlideId,
  regions: readonly BatchRegion[],
  input: InputSpec,
  signal: AbortSignal,
): Promise<SharedArrayBuffer> {
  // Opening it says whether the file is still there, and still the same.
  await library.source(slideId);
  const { path } = await library.record(slideId);
  const output = new SharedArrayBuffer(regions.length * input.widthPx * input.heightPx * 3);
  const pool = createDecodePool({ slidePath: path, workers: 1 });
  try {
    const { interpolation } = input.resize ?? WHOLE_IMAGE;
    const size = { outWidthPx: input.widthPx, outHeightPx: input.heightPx };
    await pool.readRegions({ regions, ...size, interpolation, output, offset: 0 }, signal);
  } finally {
    await pool.close();
  }
  return output;
}
