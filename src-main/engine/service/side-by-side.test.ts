import { describe, expect, it } from 'vitest';
import { asId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { compareMaps, type ScalarMap } from './side-by-side.ts';

/** A full grid whose value at a tile is `value` of its centre, in level-0 pixels. */
function map(side: number, stridePx: number, tilePx: number, value: (x: number, y: number) => number): ScalarMap {
  const cells = Array.from({ length: side * side }, (_, i) => i);
  return {
    laid: {
      grid: {
        ...{
          id: asId(`${side} ${stridePx} ${tilePx}`),
          slideId: asId('s'),
          spec: DEFAULT_GRID,
          tissue: DEFAULT_TISSUE,
        },
        ...{ columns: side, rows: side, tileLevel0Px: tilePx, strideLevel0Px: stridePx },
        ...{ tileCount: side * side, droppedCount: 0 },
      },
      columns: Uint32Array.from(cells, (i) => i % side),
      rows: Uint32Array.from(cells, (i) => Math.floor(i / side)),
    },
    description: { columns: side, rows: side },
    values: Float32Array.from(cells, (i) => {
      const centre = (at: number) => Math.round(at * stridePx) + tilePx / 2;
      return value(centre(i % side), centre(Math.floor(i / side)));
    }),
  };
}

const slope = (x: number, y: number) => x + 0.01 * y;

describe('two maps of a slide, compared by place', () => {
  it('agree with themselves, and are opposed to their negative', () => {
    const a = map(6, 100, 100, slope);
    const same = compareMaps(a, a, 5);
    expect(same.agreement).toMatchObject({ tiles: 36, unmatched: 0, sameGrid: true, onGridOf: 'a', spearman: 1 });
    expect(Math.max(...same.difference)).toBe(0);
    const opposed = compareMaps(a, { ...a, values: a.values.map((value) => -value) }, 5).agreement;
    expect(opposed.spearman).toBeCloseTo(-1, 12);
    expect(opposed.disagreements[0]?.tile.index).toBeOneOf([0, 35]);
  });

  it('do not mind the scale of values', () => {
    const a = map(6, 100, 100, slope);
    const b = map(6, 100, 100, (x, y) => Math.exp(slope(x, y) / 200));
    expect(compareMaps(a, b, 5).agreement.spearman).toBe(1);
  });

  it('meet at the centres of the coarser grid where grids differ, whichever side it is on', () => {
    const coarse = map(4, 150, 150, slope);
    const fine = map(12, 50, 60, slope);
    const one = compareMaps(coarse, fine, 5).agreement;
    expect(one).toMatchObject({ tiles: 16, onGridOf: 'a', sameGrid: false, difference: { columns: 4, rows: 4 } });
    expect(one.spearman).toBeCloseTo(1, 12);
    const other = compareMaps(fine, coarse, 5).agreement;
    expect(other).toMatchObject({ tiles: 16, onGridOf: 'b', difference: { columns: 4, rows: 4 } });
    expect(other.spearman).toBe(one.spearman);
  });

  it('find the place that was changed, and say in which direction', () => {
    const a = map(10, 100, 100, slope);
    const values = a.values.slice();
    values[0] = 1e6;
    const { agreement, difference } = compareMaps(a, { ...a, values }, 3);
    expect(agreement.disagreements[0]?.tile).toMatchObject({ index: 0, x0Px: 0, y0Px: 0 });
    expect(difference[0]).toBeCloseTo(0.99, 6);
  });

  it('leave out places that only one of them has', () => {
    const a = map(6, 100, 100, slope);
    const b = map(3, 100, 100, slope);
    const { agreement, difference } = compareMaps(a, b, 50);
    expect(agreement).toMatchObject({ tiles: 9, unmatched: 27 });
    expect(agreement.disagreements).toHaveLength(9);
    expect(difference.filter(Number.isNaN)).toHaveLength(27);
  });

  it('have no correlation where one does not vary', () => {
    const a = map(4, 100, 100, slope);
    expect(
      compareMaps(
        a,
        map(4, 100, 100, () => 1),
        1,
      ).agreement.spearman,
    ).toBeNull();
  });
});
