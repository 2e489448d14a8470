import type { TileRef } from '../../../src-shared/model/map.ts';
import type { TileGrid } from '../../../src-shared/model/run.ts';

/** A grid with its kept tiles, in row-major order: tile i sits at (columns[i], rows[i]). */
export interface LaidGrid {
  readonly grid: TileGrid;
  readonly columns: Uint32Array;
  readonly rows: Uint32Array;
}

/** Level-0 origin of a grid cell along one axis: rounded once from the float stride, so that nothing drifts. */
export function originLevel0Px(index: number, strideLevel0Px: number): number {
  return Math.round(index * strideLevel0Px);
}

/** Tile `index` of the grid in level-0 pixels. The index must be in 0..tileCount-1. */
export function tileRef(laid: LaidGrid, index: number): TileRef {
  const column = laid.columns[index] ?? 0;
  const row = laid.rows[index] ?? 0;
  const { strideLevel0Px, tileLevel0Px } = laid.grid;
  return {
    index,
    column,
    row,
    x0Px: originLevel0Px(column, strideLevel0Px),
    y0Px: originLevel0Px(row, strideLevel0Px),
    sizeLevel0Px: tileLevel0Px,
  };
}
