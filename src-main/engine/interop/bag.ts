import { AppError } from '../../../src-shared/errors.ts';
import type { GridSpec, TileGrid } from '../../../src-shared/model/run.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import { type LaidGrid, tileRef } from '../grid/laid-grid.ts';

/** Top-left corners of tiles in level-0 pixels, tile by tile. */
export interface TileCorners {
  readonly x0Px: Float64Array;
  readonly y0Px: Float64Array;
}

/** What other tools want to know of a tile grid, in their terms. */
export interface PatchFacts {
  /** Side of a tile at the target resolution. */
  readonly patchSizePx: number;
  /** Side of a tile at level 0, rounded: these layouts know whole pixels only. */
  readonly patchSizeLevel0Px: number;
  /** Tile side minus stride, at the target resolution; negative where tiles have gaps. */
  readonly overlapPx: number;
  /** Objective power of level 0: the file's, else 10 / mpp. */
  readonly level0Magnification: number;
  /** 10 / target mpp, the usual reading of `20x`. */
  readonly targetMagnification: number;
  readonly level0WidthPx: number;
  readonly level0HeightPx: number;
}

/** A whole number where it is one but for rounding noise, else two decimals. */
function tidy(value: number): number {
  const whole = Math.round(value);
  return Math.abs(value - whole) < 0.05 ? whole : Math.round(value * 100) / 100;
}

/** The facts of a grid on a slide; `mppUm` is the pixel size in force at level 0. */
export function patchFactsOf(grid: TileGrid, info: SlideInfo, mppUm: number): PatchFacts {
  const { mpp, tileUm, strideUm }: GridSpec = grid.spec;
  return {
    patchSizePx: Math.round(tileUm / mpp),
    patchSizeLevel0Px: Math.round(grid.tileLevel0Px),
    overlapPx: Math.round((tileUm - strideUm) / mpp),
    level0Magnification: info.objective ?? tidy(10 / mppUm),
    targetMagnification: tidy(10 / mpp),
    level0WidthPx: info.widthPx,
    level0HeightPx: info.heightPx,
  };
}

/** The corners of a grid's tiles, in tile order. */
export function cornersOf(laid: LaidGrid): TileCorners {
  const tiles = Array.from(laid.columns, (_, index) => tileRef(laid, index));
  return {
    x0Px: Float64Array.from(tiles, ({ x0Px }) => x0Px),
    y0Px: Float64Array.from(tiles, ({ y0Px }) => y0Px),
  };
}

/** Features with the corners of their tiles, as a file held them. */
export interface Bag {
  /** tileCount x dim, row-major. */
  readonly features: Float32Array;
  readonly tileCount: number;
  readonly dim: number;
  readonly corners: TileCorners;
}

/**
 * The features of a bag in the order of a grid's tiles. Every tile of the grid must have exactly one entry within
 * `tolerancePx` of its corner (tools round differently), and no entry may be left over.
 * @throws AppError InvalidRequest saying how many tiles do not fit.
 */
export function alignToGrid(bag: Bag, laid: LaidGrid, tolerancePx = 1): Float32Array {
  const { x0Px, y0Px } = cornersOf(laid);
  const { tileCount } = laid.grid;
  const byCell = new Map<string, number>();
  const { strideLevel0Px } = laid.grid;
  for (let tile = 0; tile < tileCount; tile++) byCell.set(`${laid.columns[tile]},${laid.rows[tile]}`, tile);
  const aligned = new Float32Array(tileCount * bag.dim);
  const filled = new Uint8Array(tileCount);
  let misfits = 0;
  for (let entry = 0; entry < bag.tileCount; entry++) {
    const [x, y] = [bag.corners.x0Px[entry] ?? Number.NaN, bag.corners.y0Px[entry] ?? Number.NaN];
    const tile = byCell.get(`${Math.round(x / strideLevel0Px)},${Math.round(y / strideLevel0Px)}`);
    const fits =
      tile !== undefined &&
      filled[tile] === 0 &&
      Math.abs((x0Px[tile] ?? Number.NaN) - x) <= tolerancePx &&
      Math.abs((y0Px[tile] ?? Number.NaN) - y) <= tolerancePx;
    if (!fits) misfits++;
    else {
      filled[tile] = 1;
      aligned.set(bag.features.subarray(entry * bag.dim, (entry + 1) * bag.dim), tile * bag.dim);
    }
  }
  const missing = filled.reduce((count, isFilled) => count + (isFilled === 0 ? 1 : 0), 0);
  if (misfits === 0 && missing === 0) return aligned;
  throw new AppError('InvalidRequest', 'The features do not belong to this tile grid.', {
    advice: 'Import them for the slide, tile size and resolution they were made with.',
    detail: `${misfits} entries match no tile, ${missing} of ${tileCount} tiles have no entry`,
  });
}
