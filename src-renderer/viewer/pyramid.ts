import type { SlideLevel } from '../../src-shared/model/slide.ts';

/** A rectangle; the unit is named by the function that returns it. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Where a tile lies, from the file's own numbers. OpenSeadragon counts levels from the coarsest (0), a slide from the
 * finest, and derives scale and tile counts from powers of two; scanners do not keep to them. Every function here takes
 * the slide's level, and places it by its true width and height, so a float error never asks for a tile that the file
 * does not have and the padding of edge tiles is never drawn.
 */
export function tileRectPx(level: SlideLevel, column: number, row: number): Rect {
  const x = column * level.tileWidthPx;
  const y = row * level.tileHeightPx;
  return {
    x,
    y,
    width: Math.max(0, Math.min(level.tileWidthPx, level.widthPx - x)),
    height: Math.max(0, Math.min(level.tileHeightPx, level.heightPx - y)),
  };
}

/** The tile's rectangle with the slide's width as 1 (OpenSeadragon's image coordinates). */
export function tileRectUnit(base: SlideLevel, level: SlideLevel, column: number, row: number): Rect {
  const px = tileRectPx(level, column, row);
  const unitPerPxX = 1 / level.widthPx;
  const unitPerPxY = base.heightPx / base.widthPx / level.heightPx;
  return {
    x: px.x * unitPerPxX,
    y: px.y * unitPerPxY,
    width: px.width * unitPerPxX,
    height: px.height * unitPerPxY,
  };
}

/** The tile that holds a point (slide width = 1); a point on or beyond an edge belongs to the last tile there. */
export function tileAtUnit(
  base: SlideLevel,
  level: SlideLevel,
  xUnit: number,
  yUnit: number,
): { readonly column: number; readonly row: number } {
  const xPx = xUnit * level.widthPx;
  const yPx = ((yUnit * base.widthPx) / base.heightPx) * level.heightPx;
  return {
    column: clamp(Math.floor(xPx / level.tileWidthPx), 0, level.columns - 1),
    row: clamp(Math.floor(yPx / level.tileHeightPx), 0, level.rows - 1),
  };
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
