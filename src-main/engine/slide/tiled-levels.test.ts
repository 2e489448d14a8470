import { describe, expect, it } from 'vitest';
import type { Interpolation } from '../../../src-shared/model/backbone.ts';
import type { RgbImage } from './slide-source.ts';
import golden from './tiled-levels.golden.json' with { type: 'json' };
import { TiledLevels } from './tiled-levels.ts';

const SIDE = 99_999;
const TILE = 256;

/** Levels of a slide whose red is twice the level-0 x of a pixel's centre modulo 256, green its y: places can be read back. */
function ruler(count: number): { levels: TiledLevels; loads: () => number } {
  let loads = 0;
  let widthPx = SIDE;
  const sizes: number[] = [];
  for (let level = 0; level < count; level++) {
    sizes.push(widthPx);
    widthPx = Math.floor(widthPx / 2);
  }
  const levels = sizes.map((size) => ({
    widthPx: size,
    heightPx: size,
    downsample: SIDE / size,
    tileWidthPx: TILE,
    tileHeightPx: TILE,
    columns: Math.ceil(size / TILE),
    rows: Math.ceil(size / TILE),
  }));
  const load = async (level: number, column: number, row: number): Promise<RgbImage> => {
    loads++;
    const data = new Uint8Array(TILE * TILE * 3);
    const mark = (index: number): number => Math.round(((index + 0.5) * 2 ** level - 0.5) * 2) & 255;
    for (let y = 0; y < TILE; y++) {
      for (let x = 0; x < TILE; x++) {
        data[(y * TILE + x) * 3] = mark(column * TILE + x);
        data[(y * TILE + x) * 3 + 1] = mark(row * TILE + y);
      }
    }
    return { widthPx: TILE, heightPx: TILE, data };
  };
  return { levels: new TiledLevels(levels, load), loads: () => loads };
}

describe('regions of a slide of 100,000 px', () => {
  it.each([1, 1.37, 2, 3.3, 4, 6.1, 8])(
    'at a reduction of %f lie within 1 px of their place in the far corner',
    async (reduction) => {
      const { levels } = ruler(5);
      // A place where the ramp does not wrap within the region: x from 99,600 (= 16 modulo 128) on.
      const x0Px = 99_600.25;
      const out = 8;
      const extent = out * reduction;
      const { data } = await levels.readRegion({
        x0Px,
        y0Px: x0Px,
        widthLevel0Px: extent,
        heightLevel0Px: extent,
        outWidthPx: out,
        outHeightPx: out,
      });
      for (let index = 1; index < out - 1; index++) {
        const wanted = (x0Px + (index + 0.5) * reduction - 0.5) % 128;
        expect(Math.abs((data[(index * out + index) * 3] ?? 0) / 2 - wanted)).toBeLessThanOrEqual(1);
        expect(Math.abs((data[(index * out + index) * 3 + 1] ?? 0) / 2 - wanted)).toBeLessThanOrEqual(1);
      }
    },
  );

  it('read from the coarsest level that is fine enough', async () => {
    const { levels, loads } = ruler(5);
    const request = { x0Px: 0, y0Px: 0, widthLevel0Px: 4096, heightLevel0Px: 4096 };
    await levels.readRegion({ ...request, outWidthPx: 256, outHeightPx: 256 });
    expect(loads()).toBe(1);
    await levels.readRegion({ ...request, outWidthPx: 300, outHeightPx: 300 });
    expect(loads()).toBeLessThanOrEqual(1 + 9);
  });

  it('that lie side by side share their tiles', async () => {
    const { levels, loads } = ruler(1);
    const read = (x0Px: number): Promise<RgbImage> =>
      levels.readRegion({ x0Px, y0Px: 0, widthLevel0Px: 100, heightLevel0Px: 100, outWidthPx: 90, outHeightPx: 90 });
    await Promise.all([read(10), read(60.5), read(110)]);
    expect(loads()).toBe(1);
  });

  it('of the whole slide stay within the memory bound and come out whole', async () => {
    const { levels } = ruler(9);
    const before = process.memoryUsage().rss;
    const whole = { x0Px: 0, y0Px: 0, widthLevel0Px: SIDE, heightLevel0Px: SIDE, outWidthPx: 300, outHeightPx: 300 };
    const { data } = await levels.readRegion(whole);
    // Blue is 0 on the slide and 255 outside: only the outermost pixels may have a share of that.
    for (let at = 301 * 3 + 2; at < 299 * 300 * 3; at += 3) {
      const column = Math.floor(at / 3) % 300;
      if (column > 0 && column < 299) expect(data[at]).toBe(0);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20);
  });
});

describe('requests that make no sense', () => {
  it.each([
    { outWidthPx: 0 },
    { outWidthPx: 1.5 },
    { outWidthPx: 1e6, outHeightPx: 1e6 },
    { widthLevel0Px: 0 },
    { x0Px: Number.NaN },
    { x0Px: 1e12 },
  ])('%j is InvalidRequest', async (change) => {
    const { levels } = ruler(2);
    const request = { x0Px: 0, y0Px: 0, widthLevel0Px: 10, heightLevel0Px: 10, outWidthPx: 10, outHeightPx: 10 };
    await expect(levels.readRegion({ ...request, ...change })).rejects.toMatchObject({ code: 'InvalidRequest' });
  });
});

/** One level of the image `tiled-levels.golden.py` reduces with Pillow. */
function patchwork(): TiledLevels {
  const side = golden.sidePx;
  const tiles = Math.ceil(side / TILE);
  const size = { widthPx: side, heightPx: side, columns: tiles, rows: tiles };
  const level = { ...size, downsample: 1, tileWidthPx: TILE, tileHeightPx: TILE };
  return new TiledLevels([level], async (_level, column, row) => {
    const data = new Uint8Array(TILE * TILE * 3);
    for (let at = 0; at < TILE * TILE; at++) {
      const x = column * TILE + (at % TILE);
      const y = row * TILE + Math.floor(at / TILE);
      const red = (Math.floor(x / 210) * 73 + Math.floor(y / 170) * 151) * 37;
      data.set([red & 255, (x * 2) & 255, (Math.floor(y / 300) * 60) & 255], at * 3);
    }
    return { widthPx: TILE, heightPx: TILE, data };
  });
}

describe('a reduction of 130 on a slide without coarse levels', () => {
  const furthest = (a: ArrayLike<number>, b: readonly number[]): number =>
    b.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (a[i] ?? Number.NaN))), 0);

  const slide = patchwork();

  it.each(golden.filters)("by Pillow's $name in two steps, and close to it at once", async (reference) => {
    const interpolation = reference.name as Interpolation;
    const { data } = await slide.readRegion({ ...golden.request, interpolation });
    if (interpolation === 'nearest') {
      expect(furthest(data, reference.direct)).toBe(0);
      return;
    }
    expect(furthest(data, reference.inTwoSteps)).toBeLessThanOrEqual(1);
    expect(furthest(data, reference.direct)).toBeLessThanOrEqual(6);
  });
});
