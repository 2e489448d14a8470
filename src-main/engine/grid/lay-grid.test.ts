import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asId, type SlideId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE, type GridSpec } from '../../../src-shared/model/run.ts';
import { TISSUE_CLASS, type TissueMask } from '../tissue/mask.ts';
import { tileRef } from './laid-grid.ts';
import { type GridRequest, layGrid, tissueFraction } from './lay-grid.ts';

const SLIDE = asId<SlideId>('a'.repeat(64));

function maskOf(
  widthPx: number,
  heightPx: number,
  slide: [number, number],
  isTissue: (x: number, y: number) => boolean,
): TissueMask {
  return {
    widthPx,
    heightPx,
    downsampleX: slide[0] / widthPx,
    downsampleY: slide[1] / heightPx,
    maskMpp: 8,
    mppUm: 0.5,
    params: DEFAULT_TISSUE,
    saturationThreshold: 0.1,
    opticalDensityThreshold: 0.1,
    classes: Uint8Array.from({ length: widthPx * heightPx }, (_, at) =>
      isTissue(at % widthPx, Math.floor(at / widthPx)) ? TISSUE_CLASS.tissue : TISSUE_CLASS.background,
    ),
  };
}

function request(width: number, height: number, mppUm: number, spec: GridSpec, mask: TissueMask): GridRequest {
  return { slideId: SLIDE, info: { widthPx: width, heightPx: height }, mppUm, spec, tissue: DEFAULT_TISSUE, mask };
}

const specs = fc.record({
  mpp: fc.constant(0.5),
  tileUm: fc.double({ min: 40, max: 400, noNaN: true }),
  strideUm: fc.double({ min: 40, max: 400, noNaN: true }),
  minTissueFraction: fc.double({ min: 0, max: 1, noNaN: true }),
});

describe('layGrid', () => {
  it('keeps every tile inside the slide, in row-major order, with its share of tissue; drops the rest', () => {
    fc.assert(
      fc.property(
        specs,
        fc.integer({ min: 50, max: 4000 }),
        fc.integer({ min: 50, max: 4000 }),
        fc.double({ min: 0.2, max: 1.1, noNaN: true }),
        fc.integer({ min: 0, max: 1000 }),
        (spec, width, height, mppUm, seed) => {
          const mask = maskOf(40, 30, [width, height], (x, y) => ((x * 7 + y * 13 + seed) * 2654435761) % 5 < 3);
          const laid = layGrid(request(width, height, mppUm, spec, mask));
          expect(laid.columns.length).toBe(laid.grid.tileCount);
          expect(laid.grid.tileCount + laid.grid.droppedCount).toBe(laid.grid.columns * laid.grid.rows);
          const kept = new Set<number>();
          let last = -1;
          for (let index = 0; index < laid.grid.tileCount; index++) {
            const { x0Px, y0Px, sizeLevel0Px, column, row } = tileRef(laid, index);
            expect(x0Px + sizeLevel0Px).toBeLessThanOrEqual(width + 1e-5);
            expect(y0Px + sizeLevel0Px).toBeLessThanOrEqual(height + 1e-5);
            const fraction = tissueFraction(mask, x0Px, y0Px, sizeLevel0Px, sizeLevel0Px);
            expect(fraction).toBeGreaterThanOrEqual(spec.minTissueFraction - 1e-9);
            const place = row * laid.grid.columns + column;
            expect(place).toBeGreaterThan(last);
            last = place;
            kept.add(place);
          }
          for (let place = 0; place < laid.grid.columns * laid.grid.rows; place++) {
            if (kept.has(place)) continue;
            const x0Px = Math.round((place % laid.grid.columns) * laid.grid.strideLevel0Px);
            const y0Px = Math.round(Math.floor(place / laid.grid.columns) * laid.grid.strideLevel0Px);
            const { tileLevel0Px } = laid.grid;
            expect(tissueFraction(mask, x0Px, y0Px, tileLevel0Px, tileLevel0Px)).toBeLessThan(spec.minTissueFraction);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('does not drift: the last origin of a 100,000 px slide is within half a pixel of its true place', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 1.3, noNaN: true }),
        fc.double({ min: 90, max: 300, noNaN: true }),
        (mppUm, tileUm) => {
          const mask = maskOf(10, 10, [100_000, 100_000], () => true);
          const spec = { mpp: 0.5, tileUm, strideUm: tileUm, minTissueFraction: 0.5 };
          const laid = layGrid(request(100_000, 100_000, mppUm, spec, mask));
          const last = tileRef(laid, laid.grid.tileCount - 1);
          expect(Math.abs(last.x0Px * mppUm - last.column * tileUm)).toBeLessThanOrEqual(0.5 * mppUm + 1e-6);
          // No room is given away: one tile more would not fit.
          expect(Math.round((last.column + 1) * laid.grid.strideLevel0Px) + laid.grid.tileLevel0Px).toBeGreaterThan(
            100_000,
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  it('fills an exactly divisible slide to its edge', () => {
    const mask = maskOf(10, 10, [2240, 1120], () => true);
    const { grid } = layGrid(request(2240, 1120, 0.5, DEFAULT_GRID, mask));
    expect([grid.columns, grid.rows, grid.tileCount, grid.droppedCount]).toEqual([10, 5, 50, 0]);
    expect(layGrid(request(100, 100, 0.5, DEFAULT_GRID, mask)).grid).toMatchObject({
      tileCount: 0,
      columns: 0,
      rows: 0,
    });
  });

  it('measures partial cover by exact area', () => {
    const mask = maskOf(4, 4, [400, 400], (x) => x === 1);
    expect(tissueFraction(mask, 50, 0, 100, 400)).toBeCloseTo(0.5, 12);
    expect(tissueFraction(mask, 125, 30, 50, 7)).toBeCloseTo(1, 12);
    expect(tissueFraction(mask, -100, -100, 150, 150)).toBe(0);
  });

  it('has an id that depends on what defines the grid and on nothing else', () => {
    const mask = maskOf(20, 20, [3000, 3000], (x, y) => x + y > 8);
    const base = request(3000, 3000, 0.5, DEFAULT_GRID, mask);
    const id = layGrid(base).grid.id;
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const { mpp, tileUm, strideUm, minTissueFraction } = DEFAULT_GRID;
    expect(layGrid({ ...base, spec: { minTissueFraction, strideUm, tileUm, mpp } }).grid.id).toBe(id);
    const changes: GridRequest[] = [
      { ...base, mppUm: 0.25 },
      { ...base, slideId: asId<SlideId>('b'.repeat(64)) },
      { ...base, spec: { ...DEFAULT_GRID, minTissueFraction: 0.6 } },
      { ...base, tissue: { ...DEFAULT_TISSUE, minTissueUm2: 1 } },
      { ...base, mask: maskOf(20, 20, [3000, 3000], (x, y) => x + y > 9) },
    ];
    const ids = new Set(changes.map((change) => layGrid(change).grid.id));
    expect(ids.size).toBe(changes.length);
    expect(ids.has(id)).toBe(false);
  });

  it('refuses sizes that are no sizes', () => {
    const mask = maskOf(2, 2, [100_000, 100_000], () => true);
    const bad: GridSpec[] = [
      { ...DEFAULT_GRID, tileUm: 0 },
      { ...DEFAULT_GRID, strideUm: Number.NaN },
      { ...DEFAULT_GRID, minTissueFraction: 1.5 },
      { ...DEFAULT_GRID, strideUm: 0.5 },
    ];
    for (const spec of bad) {
      expect(() => layGrid(request(100_000, 100_000, 0.5, spec, mask))).toThrow(
        expect.objectContaining({ code: 'InvalidRequest' }),
      );
    }
  });
});
