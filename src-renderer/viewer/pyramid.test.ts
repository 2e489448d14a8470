import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SlideLevel } from '../../src-shared/model/slide.ts';
import { tileAtUnit, tileRectPx, tileRectUnit } from './pyramid.ts';

function level(widthPx: number, heightPx: number, tilePx: number, baseWidthPx = widthPx): SlideLevel {
  return {
    widthPx,
    heightPx,
    downsample: baseWidthPx / widthPx,
    tileWidthPx: tilePx,
    tileHeightPx: tilePx,
    columns: Math.ceil(widthPx / tilePx),
    rows: Math.ceil(heightPx / tilePx),
  };
}

/** A real pair: TCGA-CR-7395's levels, whose ratio is not quite two. */
const base = level(4443, 3567, 256);
const half = level(2221, 1783, 256, 4443);

const anyLevels = fc
  .record({
    width: fc.integer({ min: 1, max: 120_000 }),
    height: fc.integer({ min: 1, max: 120_000 }),
    tile: fc.constantFrom(240, 256, 512, 1024),
    by: fc.integer({ min: 1, max: 64 }),
  })
  .map(({ width, height, tile, by }) => ({
    base: level(width, height, tile),
    coarse: level(Math.max(1, Math.floor(width / by)), Math.max(1, Math.floor(height / by)), tile, width),
  }));

describe('tiles of a pyramid', () => {
  it('crops the padding of edge tiles', () => {
    expect(tileRectPx(half, 8, 6)).toEqual({ x: 2048, y: 1536, width: 173, height: 247 });
  });

  it('covers the slide to its last pixel at every level, though ratios are not whole', () => {
    fc.assert(
      fc.property(anyLevels, ({ base, coarse }) => {
        const last = tileRectUnit(base, coarse, coarse.columns - 1, coarse.rows - 1);
        expect(last.x + last.width).toBeCloseTo(1, 9);
        expect((last.y + last.height) * base.widthPx).toBeCloseTo(base.heightPx, 4);
      }),
    );
  });

  it('never names a tile that the file does not have', () => {
    fc.assert(
      fc.property(
        anyLevels,
        fc.double({ min: -0.1, max: 1.1, noNaN: true }),
        fc.double({ min: -0.1, max: 1.1, noNaN: true }),
        ({ base, coarse }, x, share) => {
          const { column, row } = tileAtUnit(base, coarse, x, (share * base.heightPx) / base.widthPx);
          expect(column).toBeGreaterThanOrEqual(0);
          expect(row).toBeGreaterThanOrEqual(0);
          expect(column).toBeLessThan(coarse.columns);
          expect(row).toBeLessThan(coarse.rows);
        },
      ),
    );
  });

  it('finds a tile at its own centre', () => {
    fc.assert(
      fc.property(anyLevels, fc.nat(), fc.nat(), ({ base, coarse }, i, j) => {
        const column = i % coarse.columns;
        const row = j % coarse.rows;
        const { x, y, width, height } = tileRectUnit(base, coarse, column, row);
        expect(tileAtUnit(base, coarse, x + width / 2, y + height / 2)).toEqual({ column, row });
      }),
    );
  });

  it('lays the same place of two levels on each other', () => {
    const coarse = tileRectUnit(base, half, 4, 3);
    const fine = tileRectUnit(base, base, 8, 6);
    expect(Math.abs(coarse.x - fine.x) * base.widthPx).toBeLessThan(1);
    expect(Math.abs(coarse.y - fine.y) * base.widthPx).toBeLessThan(1);
  });
});
