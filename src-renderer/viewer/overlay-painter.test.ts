import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellAt } from './overlay-painter.ts';

const grid = (strideLevel0Px: number, tileLevel0Px: number) => ({
  columns: 40,
  rows: 30,
  strideLevel0Px,
  tileLevel0Px,
});

describe('the cell under the pointer', () => {
  it('is the tile whose centre it is, with gaps, without and with overlap', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 20, max: 900, noNaN: true }),
        fc.constantFrom(0.8, 1, 1.33, 2),
        fc.integer({ min: 0, max: 39 }),
        fc.integer({ min: 0, max: 29 }),
        (stride, ratio, column, row) => {
          const tile = stride * ratio;
          const cell = cellAt(grid(stride, tile), column * stride + tile / 2, row * stride + tile / 2);
          expect(cell).toMatchObject({ column, row });
          expect(cell?.square.x0Px).toBe(Math.round(column * stride));
        },
      ),
    );
  });

  it('is none beside the grid and in the gap between tiles', () => {
    const gaps = grid(100, 60);
    expect(cellAt(gaps, 30, 30)).toMatchObject({ column: 0, row: 0 });
    expect(cellAt(gaps, 75, 30)).toBeNull();
    expect(cellAt(gaps, -60, 30)).toBeNull();
    expect(cellAt(gaps, 30, 3050)).toBeNull();
  });
});
