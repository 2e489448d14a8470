import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { colourMapRgb } from './colour-maps.ts';
import { defaultPaint, legendTicks, mapValueAt, normalised, rasterizeMap } from './map-raster.ts';

const scalar = { columns: 2, rows: 2, channels: 1, categories: [] } as const;
const paint = { colourMap: 'viridis', min: 0, max: 1, threshold: null } as const;
const pixel = (rgba: Uint8ClampedArray, i: number) => Array.from(rgba.subarray(4 * i, 4 * i + 4));

describe('rasterizeMap', () => {
  it('colours a scalar map and leaves cells without a tile transparent', () => {
    const rgba = rasterizeMap(scalar, Float32Array.of(0, 1, Number.NaN, 5), paint);
    expect(pixel(rgba, 0)).toEqual([...colourMapRgb('viridis', 0), 255]);
    expect(pixel(rgba, 1)).toEqual([...colourMapRgb('viridis', 1), 255]);
    expect(pixel(rgba, 2)).toEqual([0, 0, 0, 0]);
    expect(pixel(rgba, 3)).toEqual(pixel(rgba, 1));
  });

  it('hides what lies below the threshold, and only that', () => {
    const values = Float32Array.of(0.2, 0.5, 0.8, Number.NaN);
    const rgba = rasterizeMap(scalar, values, { ...paint, threshold: 0.5 });
    expect([0, 1, 2, 3].map((i) => rgba[4 * i + 3])).toEqual([0, 255, 255, 0]);
  });

  it('draws categories in their own colours', () => {
    const categories = [
      { label: 'A', rgb: [1, 2, 3], tileCount: 1 },
      { label: 'B', rgb: [4, 5, 6], tileCount: 2 },
    ] as const;
    const rgba = rasterizeMap({ ...scalar, categories }, Float32Array.of(1, 0, Number.NaN, 1), paint);
    expect(pixel(rgba, 0)).toEqual([4, 5, 6, 255]);
    expect(pixel(rgba, 1)).toEqual([1, 2, 3, 255]);
    expect(pixel(rgba, 2)[3]).toBe(0);
  });

  it('draws RGB maps as they are', () => {
    const rgba = rasterizeMap({ ...scalar, columns: 1, channels: 3 }, Float32Array.of(0, 0.5, 1, NaN, NaN, NaN), paint);
    expect(pixel(rgba, 0)).toEqual([0, 128, 255, 255]);
    expect(pixel(rgba, 1)[3]).toBe(0);
  });

  it('refuses values of another size', () => {
    expect(() => rasterizeMap(scalar, new Float32Array(3), paint)).toThrow(RangeError);
  });

  it('a map without any spread takes the middle colour', () => {
    const rgba = rasterizeMap(scalar, new Float32Array(4).fill(3), defaultPaint({ range: [3, 3] }, 'magma'));
    expect(pixel(rgba, 0)).toEqual([...colourMapRgb('magma', 0.5), 255]);
    expect(normalised(Number.POSITIVE_INFINITY, 0, 1)).toBe(1);
  });
});

describe('mapValueAt', () => {
  it('reads a cell, and null where there is none', () => {
    const values = Float32Array.of(1, 2, Number.NaN, 4);
    expect(mapValueAt(scalar, values, 1, 0)).toEqual([2]);
    expect(mapValueAt(scalar, values, 0, 1)).toBeNull();
    expect(mapValueAt(scalar, values, 2, 0)).toBeNull();
    expect(mapValueAt(scalar, values, 0, -1)).toBeNull();
  });
});

describe('legendTicks', () => {
  it('are round and inside the range', () => {
    expect(legendTicks(0, 1)).toEqual([0, 0.5, 1]);
    expect(legendTicks(0, 1, 6)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(legendTicks(-0.31, 0.94)).toEqual([0, 0.5]);
    expect(legendTicks(2, 2)).toEqual([2]);
  });

  it('hold for any range', () => {
    const value = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [min, max] = a < b ? [a, b] : [b, a];
        const ticks = legendTicks(min, max);
        const slack = (max - min) * 1e-6 + 1e-12 * Math.abs(max);
        return ticks.length <= 6 && ticks.every((t) => t >= min - slack && t <= max + slack);
      }),
    );
  });
});
