import { AppError } from '../../../src-shared/errors.ts';
import type { SlideSource } from '../slide/slide-source.ts';
import { TISSUE_CLASS, type TissueMask } from './mask.ts';

/** Numbers that `measureColours` gives. */
export const COLOUR_DIM = 6;

/** Mask pixels read at once, as a square's side. */
const BLOCK_PX = 512;
/** Fewer pixels of tissue have no spread worth the name. */
const LEAST_TISSUE_PX = 16;
/** Added before logarithms are taken: a channel that no stain reaches counts as this dense. */
const LEAST_DENSITY = 0.01;

const DENSITY_OF_BYTE = Float64Array.from({ length: 256 }, (_, value) => -Math.log10((value + 1) / 256));

/**
 * The colours of a slide's tissue at the mask's resolution: logarithms of the mean optical density of red, green and
 * blue, then of its standard deviation over the tissue. Densities, because stain adds up in them; logarithms, because
 * more or less of a stain multiplies them. Only blocks that hold tissue are read.
 *
 * @param mask of this slide.
 * @returns COLOUR_DIM numbers; null where there is next to no tissue.
 * @throws AppError Cancelled, and what the source throws.
 */
export async function measureColours(
  source: SlideSource,
  mask: TissueMask,
  signal?: AbortSignal,
): Promise<Float64Array | null> {
  const sums = new Float64Array(3);
  const squares = new Float64Array(3);
  let count = 0;
  for (let top = 0; top < mask.heightPx; top += BLOCK_PX) {
    for (let left = 0; left < mask.widthPx; left += BLOCK_PX) {
      if (signal?.aborted) throw new AppError('Cancelled', 'Measuring the colours was cancelled.');
      const tissue = tissueWithin(mask, left, top);
      if (tissue.length === 0) continue;
      const outWidthPx = Math.min(BLOCK_PX, mask.widthPx - left);
      const outHeightPx = Math.min(BLOCK_PX, mask.heightPx - top);
      const { data } = await source.readRegion(
        {
          ...{ x0Px: left * mask.downsampleX, y0Px: top * mask.downsampleY, outWidthPx, outHeightPx },
          widthLevel0Px: outWidthPx * mask.downsampleX,
          heightLevel0Px: outHeightPx * mask.downsampleY,
        },
        signal,
      );
      count += tissue.length;
      for (const at of tissue) {
        for (let channel = 0; channel < 3; channel++) {
          const density = DENSITY_OF_BYTE[data[at * 3 + channel] ?? 255] ?? 0;
          sums[channel] = (sums[channel] ?? 0) + density;
          squares[channel] = (squares[channel] ?? 0) + density * density;
        }
      }
    }
  }
  if (count < LEAST_TISSUE_PX) return null;
  const means = sums.map((sum) => sum / count);
  const spreads = squares.map((sum, channel) => Math.sqrt(Math.max(0, sum / count - (means[channel] ?? 0) ** 2)));
  return Float64Array.from([...means, ...spreads], (value) => Math.log(value + LEAST_DENSITY));
}

/** Places of the tissue in a block, row-major within it. */
function tissueWithin({ classes, widthPx, heightPx }: TissueMask, left: number, top: number): number[] {
  const wide = Math.min(BLOCK_PX, widthPx - left);
  const high = Math.min(BLOCK_PX, heightPx - top);
  const places: number[] = [];
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      if (classes[(top + y) * widthPx + left + x] === TISSUE_CLASS.tissue) places.push(y * wide + x);
    }
  }
  return places;
}
