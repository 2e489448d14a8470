import type { MapDescription, ScoredTile } from '../../../src-shared/model/map.ts';

type Layout = Pick<MapDescription, 'columns' | 'rows' | 'strideLevel0Px' | 'tileLevel0Px'>;

/**
 * The tiles of a scalar map with the highest or lowest values, the most extreme first; equal values by place.
 * @param values rows x columns, row-major, NaN where the grid has no tile.
 */
export function extremeTiles(
  layout: Layout,
  values: Float32Array,
  end: 'top' | 'bottom',
  count: number,
): readonly ScoredTile[] {
  const { columns, strideLevel0Px, tileLevel0Px } = layout;
  const cells = Array.from(values.keys()).filter((cell) => !Number.isNaN(values[cell]));
  const indexOf = new Map(cells.map((cell, index) => [cell, index]));
  const sign = end === 'top' ? -1 : 1;
  const ordered = cells.sort((a, b) => sign * ((values[a] ?? 0) - (values[b] ?? 0)) || a - b);
  return ordered.slice(0, count).map((cell) => {
    const [column, row] = [cell % columns, Math.floor(cell / columns)];
    return {
      score: values[cell] ?? Number.NaN,
      tile: {
        index: indexOf.get(cell) ?? cell,
        ...{ column, row, sizeLevel0Px: tileLevel0Px },
        x0Px: Math.round(column * strideLevel0Px),
        y0Px: Math.round(row * strideLevel0Px),
      },
    };
  });
}
