import { expect, it } from 'vitest';
import { extremeTiles } from './extreme-tiles.ts';

const LAYOUT = { columns: 3, rows: 2, strideLevel0Px: 100.4, tileLevel0Px: 100 };
const VALUES = Float32Array.of(Number.NaN, 0.5, 2, 0.25, Number.NaN, 2);

it('gives the highest tiles with their place, equal ones by place, and never a cell without a tile', () => {
  expect(extremeTiles(LAYOUT, VALUES, 'top', 2)).toEqual([
    { score: 2, tile: { index: 1, column: 2, row: 0, x0Px: 201, y0Px: 0, sizeLevel0Px: 100 } },
    { score: 2, tile: { index: 3, column: 2, row: 1, x0Px: 201, y0Px: 100, sizeLevel0Px: 100 } },
  ]);
  expect(extremeTiles(LAYOUT, VALUES, 'bottom', 9).map(({ score }) => score)).toEqual([0.25, 0.5, 2, 2]);
});
