import { AppError } from '../../../src-shared/errors.ts';
import type { RgbImage, SlideSource } from '../slide/slide-source.ts';
import { TISSUE_CLASS, type TissueMask } from './mask.ts';

/** Resolution at which focus is judged, µm per pixel: fine enough to see a nucleus's outline. */
const FOCUS_MPP = 1;
/** Side of a judged cell in µm, and of a block that is read at once in cells. */
const CELL_UM = 64;
const BLOCK_CELLS = 12;
/** Laplacian energy of sensor and JPEG noise (grey levels squared); below it there is nothing to judge. */
const NOISE_ENERGY = 40;
/** Contrast (gradient energy) a cell needs before its focus can be told. */
const MIN_GRADIENT_ENERGY = 4;

/** Sharpness of the tissue, cell by cell; NaN where a cell holds no tissue or too little contrast to tell. */
export interface SharpnessMap {
  readonly columns: number;
  readonly rows: number;
  /** Side of a cell in level-0 pixels, float. */
  readonly cellLevel0Px: number;
  readonly values: Float32Array;
}

/**
 * Measures how sharp the tissue is: per 64 µm cell at 1 µm per pixel the energy of the Laplacian over the energy of the
 * gradient, so that pale and dark stains are judged alike. On CMU-1 and a TCGA
 * slide: 1.7 or more in 95 % of cells in focus, about 0.9 after a Gaussian blur of 1 µm, below 0.1 after 2 µm.
 * Only blocks that hold tissue are read. Source: energy of Laplacian as a focus measure (Subbarao et al. 1993;
 * compared in Pertuz et al. 2013), normalised by gradient energy here.
 */
export async function measureSharpness(
  source: SlideSource,
  mask: TissueMask,
  signal?: AbortSignal,
): Promise<SharpnessMap> {
  const scale = Math.max(1, FOCUS_MPP / mask.mppUm);
  const cellPx = Math.max(8, Math.round(CELL_UM / (scale * mask.mppUm)));
  const cellLevel0Px = cellPx * scale;
  const columns = Math.ceil(source.info.widthPx / cellLevel0Px);
  const rows = Math.ceil(source.info.heightPx / cellLevel0Px);
  const values = new Float32Array(columns * rows).fill(Number.NaN);
  for (let top = 0; top < rows; top += BLOCK_CELLS) {
    for (let left = 0; left < columns; left += BLOCK_CELLS) {
      if (signal?.aborted) throw new AppError('Cancelled', 'Looking for blur was cancelled.');
      const wide = Math.min(BLOCK_CELLS, columns - left);
      const high = Math.min(BLOCK_CELLS, rows - top);
      const rect = [left * cellLevel0Px, top * cellLevel0Px, wide * cellLevel0Px, high * cellLevel0Px] as const;
      if (!holdsTissue(mask, ...rect)) continue;
      const [x0Px, y0Px, widthLevel0Px, heightLevel0Px] = rect;
      const [outWidthPx, outHeightPx] = [wide * cellPx, high * cellPx];
      const request = { x0Px, y0Px, widthLevel0Px, heightLevel0Px, outWidthPx, outHeightPx };
      const grey = toGrey(await source.readRegion(request, signal));
      for (let row = 0; row < high; row++) {
        for (let column = 0; column < wide; column++) {
          const at = (top + row) * columns + left + column;
          const [x, y] = [(left + column) * cellLevel0Px, (top + row) * cellLevel0Px];
          if (!holdsTissue(mask, x, y, cellLevel0Px, cellLevel0Px)) continue;
          values[at] = cellSharpness(grey, outWidthPx, outHeightPx, column * cellPx, row * cellPx, cellPx);
        }
      }
    }
  }
  return { columns, rows, cellLevel0Px, values };
}

/** The mask with tissue in cells less sharp than `minSharpness` marked as blurred. */
export function markBlurred(mask: TissueMask, sharpness: SharpnessMap, minSharpness: number): TissueMask {
  const classes = mask.classes.slice();
  for (let y = 0, at = 0; y < mask.heightPx; y++) {
    const row = Math.floor(((y + 0.5) * mask.downsampleY) / sharpness.cellLevel0Px);
    for (let x = 0; x < mask.widthPx; x++, at++) {
      if (classes[at] !== TISSUE_CLASS.tissue) continue;
      const column = Math.floor(((x + 0.5) * mask.downsampleX) / sharpness.cellLevel0Px);
      if ((sharpness.values[row * sharpness.columns + column] ?? Number.NaN) < minSharpness) {
        classes[at] = TISSUE_CLASS.blurred;
      }
    }
  }
  return { ...mask, classes };
}

/** Laplacian energy over gradient energy of a square of a grey image; NaN where there is too little contrast. */
function cellSharpness(
  grey: Float32Array,
  width: number,
  height: number,
  x0: number,
  y0: number,
  side: number,
): number {
  let laplacian = 0;
  let gradient = 0;
  let count = 0;
  const right = Math.min(x0 + side, width - 1);
  const bottom = Math.min(y0 + side, height - 1);
  for (let y = Math.max(1, y0); y < bottom; y++) {
    for (let x = Math.max(1, x0); x < right; x++) {
      const at = y * width + x;
      const west = grey[at - 1] ?? 0;
      const east = grey[at + 1] ?? 0;
      const north = grey[at - width] ?? 0;
      const south = grey[at + width] ?? 0;
      laplacian += (west + east + north + south - 4 * (grey[at] ?? 0)) ** 2;
      gradient += ((east - west) ** 2 + (south - north) ** 2) / 4;
      count++;
    }
  }
  if (count === 0 || gradient / count < MIN_GRADIENT_ENERGY) return Number.NaN;
  return Math.max(0, laplacian / count - NOISE_ENERGY) / (gradient / count);
}

function toGrey({ data, widthPx, heightPx }: RgbImage): Float32Array {
  return Float32Array.from({ length: widthPx * heightPx }, (_, at) => {
    const from = at * 3;
    return ((data[from] ?? 0) + 2 * (data[from + 1] ?? 0) + (data[from + 2] ?? 0)) / 4;
  });
}

/** True where any mask pixel whose centre lies in the level-0 rectangle is tissue. */
function holdsTissue(mask: TissueMask, x0Px: number, y0Px: number, widthPx: number, heightPx: number): boolean {
  const right = Math.min(mask.widthPx, Math.ceil((x0Px + widthPx) / mask.downsampleX));
  const bottom = Math.min(mask.heightPx, Math.ceil((y0Px + heightPx) / mask.downsampleY));
  for (let y = Math.floor(y0Px / mask.downsampleY); y < bottom; y++) {
    for (let x = Math.floor(x0Px / mask.downsampleX); x < right; x++) {
      if (mask.classes[y * mask.widthPx + x] === TISSUE_CLASS.tissue) return true;
    }
  }
  return false;
}
