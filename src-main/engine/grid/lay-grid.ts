import { createHash } from 'node:crypto';
import { AppError } from '../../../src-shared/errors.ts';
import { asId, type GridId, type SlideId } from '../../../src-shared/model/ids.ts';
import type { GridSpec, TissueParams } from '../../../src-shared/model/run.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import { TISSUE_CLASS, type TissueMask } from '../tissue/mask.ts';
import { type LaidGrid, originLevel0Px } from './laid-grid.ts';

/** More cells than this is a slip of the user's hand (a stride in the wrong unit), not a grid. */
const MAX_CELLS = 50_000_000;
/** A tile may stick out by this much: float error of µm / mpp, not a pixel. */
const EDGE_TOLERANCE_PX = 1e-6;

export interface GridRequest {
  readonly slideId: SlideId;
  readonly info: Pick<SlideInfo, 'widthPx' | 'heightPx'>;
  /** Micrometres per level-0 pixel in force (the file's or the user's). */
  readonly mppUm: number;
  readonly spec: GridSpec;
  readonly tissue: TissueParams;
  readonly mask: TissueMask;
}

/**
 * Lays the tile grid on a slide: tile and stride in level-0 pixels are floats (µm / mpp), origins are rounded once
 * (`originLevel0Px`), so that the last tile of a 100,000 px slide is as exact as the first. Keeps the tiles that lie
 * wholly on the slide and hold at least `spec.minTissueFraction` tissue by area. The grid may be empty.
 * The id is a content hash: equal inputs give equal grids and ids, on any machine.
 * @throws AppError InvalidRequest where a size is not a positive number or the grid is absurdly fine.
 */
export function layGrid(request: GridRequest): LaidGrid {
  const { info, mppUm, spec, mask } = request;
  checkSpec(spec, mppUm);
  const tileLevel0Px = spec.tileUm / mppUm;
  const strideLevel0Px = spec.strideUm / mppUm;
  const columnCount = cellsAlong(info.widthPx, tileLevel0Px, strideLevel0Px);
  const rowCount = cellsAlong(info.heightPx, tileLevel0Px, strideLevel0Px);
  if (columnCount * rowCount > MAX_CELLS) {
    throw new AppError('InvalidRequest', 'The tile grid is too fine for this slide.', {
      advice: 'Choose a larger tile or stride; both are in micrometres.',
    });
  }

  const columns: number[] = [];
  const rows: number[] = [];
  for (let row = 0; row < rowCount; row++) {
    const y0Px = originLevel0Px(row, strideLevel0Px);
    const band = tissueBand(mask, y0Px, y0Px + tileLevel0Px);
    for (let column = 0; column < columnCount; column++) {
      const x0Px = originLevel0Px(column, strideLevel0Px);
      const tissue = integral(band, (x0Px + tileLevel0Px) / mask.downsampleX) - integral(band, x0Px / mask.downsampleX);
      const fraction = (tissue * mask.downsampleX * mask.downsampleY) / (tileLevel0Px * tileLevel0Px);
      if (fraction >= spec.minTissueFraction - 1e-9) {
        columns.push(column);
        rows.push(row);
      }
    }
  }
  return {
    grid: {
      id: gridId(request),
      slideId: request.slideId,
      spec,
      tissue: request.tissue,
      columns: columnCount,
      rows: rowCount,
      tileLevel0Px,
      strideLevel0Px,
      tileCount: columns.length,
      droppedCount: columnCount * rowCount - columns.length,
    },
    columns: Uint32Array.from(columns),
    rows: Uint32Array.from(rows),
  };
}

/** Share of a level-0 rectangle that is tissue, by exact area, 0..1; what lies off the mask counts as none. */
export function tissueFraction(
  mask: TissueMask,
  x0Px: number,
  y0Px: number,
  widthPx: number,
  heightPx: number,
): number {
  const band = tissueBand(mask, y0Px, y0Px + heightPx);
  const tissue = integral(band, (x0Px + widthPx) / mask.downsampleX) - integral(band, x0Px / mask.downsampleX);
  return (tissue * mask.downsampleX * mask.downsampleY) / (widthPx * heightPx);
}

function checkSpec(spec: GridSpec, mppUm: number): void {
  const sizes = [spec.mpp, spec.tileUm, spec.strideUm, mppUm];
  const isValid = sizes.every((size) => Number.isFinite(size) && size > 0);
  if (isValid && spec.minTissueFraction >= 0 && spec.minTissueFraction <= 1) return;
  throw new AppError('InvalidRequest', 'The tile grid needs positive sizes in micrometres.', {
    advice: 'Check tile size, stride, resolution and the least tissue (0 to 1).',
    detail: JSON.stringify({ spec, mppUm }),
  });
}

/** How many tiles lie wholly within `extentPx` along one axis. */
function cellsAlong(extentPx: number, tilePx: number, stridePx: number): number {
  const room = extentPx - tilePx + EDGE_TOLERANCE_PX;
  if (room < 0) return 0;
  let last = Math.floor(room / stridePx) + 1;
  while (last > 0 && originLevel0Px(last, stridePx) > room) last--;
  return last + 1;
}

/** Prefix sums along x of the tissue in a horizontal band of level-0 pixels, in mask pixels: widthPx + 1 long. */
function tissueBand(mask: TissueMask, top0Px: number, bottom0Px: number): Float64Array {
  const top = Math.max(0, top0Px / mask.downsampleY);
  const bottom = Math.min(mask.heightPx, bottom0Px / mask.downsampleY);
  const sums = new Float64Array(mask.widthPx + 1);
  for (let y = Math.floor(top); y < bottom; y++) {
    const weight = Math.min(bottom, y + 1) - Math.max(top, y);
    const start = y * mask.widthPx;
    for (let x = 0; x < mask.widthPx; x++) {
      if (mask.classes[start + x] === TISSUE_CLASS.tissue) sums[x + 1] = (sums[x + 1] ?? 0) + weight;
    }
  }
  for (let x = 0; x < mask.widthPx; x++) sums[x + 1] = (sums[x + 1] ?? 0) + (sums[x] ?? 0);
  return sums;
}

/** Prefix sum at a float position: linear between entries, exact for a piecewise constant mask. */
function integral(sums: Float64Array, at: number): number {
  const inside = Math.min(Math.max(at, 0), sums.length - 1);
  const whole = Math.floor(inside);
  const low = sums[whole] ?? 0;
  return low + ((sums[whole + 1] ?? low) - low) * (inside - whole);
}

function gridId(request: GridRequest): GridId {
  const definition = {
    slideId: request.slideId,
    widthPx: request.info.widthPx,
    heightPx: request.info.heightPx,
    mppUm: request.mppUm,
    spec: request.spec,
    tissue: request.tissue,
    maskHash: maskHash(request.mask),
  };
  return asId<GridId>(createHash('sha256').update(canonicalJson(definition)).digest('hex'));
}

/** SHA-256 over the size of the mask and which of its pixels are tissue. */
function maskHash(mask: TissueMask): string {
  const bits = mask.classes.map((code) => (code === TISSUE_CLASS.tissue ? 1 : 0));
  return createHash('sha256').update(`${mask.widthPx}x${mask.heightPx}:`).update(bits).digest('hex');
}

/** JSON with sorted keys and without undefined members: equal values give equal text. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}
