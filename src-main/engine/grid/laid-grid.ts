import type { TileRef } from '../../../src-shared/model/map.ts';
import type { TileGrid } from '../../../src-shared/model/run.ts';

/**
 * A grid with its kept tiles, in row-major order: tile i sits at (columns[i], rows[i]). Where another program placed
 * the tiles off any lattice, columns and rows are those of a finer lattice for drawing, and the corners are exact.
 */
export interface LaidGrid {
  readonly grid: TileGrid;
  readonly columns: Uint32Array;
  readonly rows: Uint32Array;
  /** Corners of free tiles in level-0 pixels, x and y in turn; absent = the lattice tells them. */
  readonly cornersPx?: Uint32Array;
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
  const { cornersPx } = laid;
  return {
    index,
    column,
    row,
    x0Px: cornersPx?.[2 * index] ?? originLevel0Px(column, strideLevel0Px),
    y0Px: cornersPx?.[2 * index + 1] ?? originLevel0Px(row, strideLevel0Px),
    sizeLevel0Px: tileLevel0Px,
  };
}
