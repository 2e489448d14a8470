import { AppError } from '../../../src-shared/errors.ts';
import type { RgbImage, SlideSource } from '../slide/slide-source.ts';
import { TISSUE_CLASS, type TissueMask } from './mask.ts';

/** Side of a field in its own pixels; small, so that many places of a slide are seen. */
export const FIELD_PX = 128;
/** Fields read of a slide at most. */
export const MOST_FIELDS = 48;
/** Resolution fields come close to, µm per pixel: nuclear detail of a 20x scan. */
const FIELD_MPP = 0.5;
/** Share of tissue a field needs; where no place has it, the fullest places will do. */
const LEAST_TISSUE = 0.6;

/** A square of tissue, `FIELD_PX` wide and high, given by its level-0 corner. */
interface Place {
  readonly x0Px: number;
  readonly y0Px: number;
  /** Share of its mask pixels that are tissue, 0..1. */
  readonly tissue: number;
}

/**
 * Squares of tissue spread evenly over a slide, as the file holds them: whole level-0 pixels, or the mean of whole
 * squares of them where the scan is finer than about 0.5 µm per pixel, because resampling in between would blur.
 *
 * @param mask of this slide.
 * @returns none where the slide is smaller than one field or holds no tissue.
 * @throws AppError Cancelled, and what the source throws.
 */
export async function readTissueFields(
  source: SlideSource,
  mask: TissueMask,
  signal?: AbortSignal,
): Promise<readonly RgbImage[]> {
  const sideLevel0Px = FIELD_PX * Math.max(1, Math.round(FIELD_MPP / mask.mppUm));
  const fields: RgbImage[] = [];
  for (const { x0Px, y0Px } of evenly(placesOfTissue(source, mask, sideLevel0Px), MOST_FIELDS)) {
    if (signal?.aborted) throw new AppError('Cancelled', 'Reading the tissue was cancelled.');
    const field = await source.readRegion(
      {
        ...{ x0Px, y0Px, widthLevel0Px: sideLevel0Px, heightLevel0Px: sideLevel0Px },
        ...{ outWidthPx: FIELD_PX, outHeightPx: FIELD_PX },
      },
      signal,
    );
    if (field.missing !== true) fields.push(field);
  }
  return fields;
}

/** Squares of a lattice from the slide's corner that hold enough tissue, row-major; else those that hold any. */
function placesOfTissue({ info }: SlideSource, mask: TissueMask, side: number): readonly Place[] {
  const places: Place[] = [];
  for (let y0Px = 0; y0Px + side <= info.heightPx; y0Px += side) {
    for (let x0Px = 0; x0Px + side <= info.widthPx; x0Px += side) {
      const tissue = tissueShare(mask, x0Px, y0Px, side);
      if (tissue > 0) places.push({ x0Px, y0Px, tissue });
    }
  }
  const full = places.filter(({ tissue }) => tissue >= LEAST_TISSUE);
  return full.length > 0 ? full : places;
}

function tissueShare(
  { classes, widthPx, heightPx, ...mask }: TissueMask,
  x0: number,
  y0: number,
  side: number,
): number {
  const left = Math.floor(x0 / mask.downsampleX);
  const top = Math.floor(y0 / mask.downsampleY);
  const right = Math.min(widthPx, Math.max(left + 1, Math.round((x0 + side) / mask.downsampleX)));
  const bottom = Math.min(heightPx, Math.max(top + 1, Math.round((y0 + side) / mask.downsampleY)));
  let tissue = 0;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) tissue += Number(classes[y * widthPx + x] === TISSUE_CLASS.tissue);
  }
  return tissue / Math.max(1, (right - left) * (bottom - top));
}

function evenly<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  return Array.from({ length: most }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / most)]).flatMap((item) =>
    item === undefined ? [] : [item],
  );
}
