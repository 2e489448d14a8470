import { describe, expect, it } from 'vitest';
import { takePixels } from '../codec/pixel-pool.ts';
import { seededRandom } from './fuzz.ts';
import type { RgbImage } from './slide-source.ts';
import { TileCache } from './tile-cache.ts';
import { TiledLevels } from './tiled-levels.ts';

const TILE = 16;
const TILE_BYTES = TILE * TILE * 3;

/** A tile whose every byte is its number, in memory that may have held another one. */
async function numbered(number: number): Promise<RgbImage> {
  await new Promise((resolve) => setImmediate(resolve));
  return { widthPx: TILE, heightPx: TILE, data: takePixels(TILE_BYTES).fill(number) };
}

const holdsOnly = ({ data }: RgbImage, number: number): boolean => data.every((value) => value === number);

describe('decoded tiles', () => {
  it('are decoded once for all who ask at once, and stay within the budget', async () => {
    const cache = new TileCache(4 * TILE_BYTES);
    let loads = 0;
    const load = (): Promise<RgbImage> => {
      loads++;
      return numbered(7);
    };
    await Promise.all([cache.get(7, load), cache.get(7, load), cache.use(7, load, () => {})]);
    expect(loads).toBe(1);
    for (let key = 8; key < 30; key++) await cache.get(key, () => numbered(key));
    expect(cache.usedBytes).toBe(4 * TILE_BYTES);
    cache.clear();
    expect(cache.usedBytes).toBe(0);
  });

  it('that were handed out keep their pixels whatever is decoded after them', async () => {
    const cache = new TileCache(2 * TILE_BYTES);
    const held = await cache.get(1, () => numbered(1));
    for (let key = 2; key < 40; key++)
      await cache.use(
        key,
        () => numbered(key),
        () => {},
      );
    expect(holdsOnly(held, 1)).toBe(true);
  });

  it.each([0, 1, 3])('are right when they are looked at, with room for %i of them', async (room) => {
    const cache = new TileCache(room * TILE_BYTES);
    const random = seededRandom(room + 1);
    const wrong: number[] = [];
    const look = async (): Promise<void> => {
      const number = 1 + random(9);
      await cache.use(
        number,
        () => numbered(number),
        (tile) => {
          if (!holdsOnly(tile, number)) wrong.push(number);
        },
      );
    };
    for (let round = 0; round < 60; round++) await Promise.all(Array.from({ length: 12 }, look));
    expect(wrong).toEqual([]);
  });

  it('that do not load are asked for again', async () => {
    const cache = new TileCache();
    await expect(cache.get(5, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(holdsOnly(await cache.get(5, () => numbered(5)), 5)).toBe(true);
  });

  it('make regions read at once come out right, though the cache holds two', async () => {
    const side = TILE * 8;
    const level = {
      widthPx: side,
      heightPx: side,
      downsample: 1,
      tileWidthPx: TILE,
      tileHeightPx: TILE,
      columns: 8,
      rows: 8,
    };
    const levels = new TiledLevels(
      [level],
      (_level, column, row) => numbered(row * 8 + column),
      new TileCache(2 * TILE_BYTES),
    );
    const random = seededRandom(3);
    const check = async (): Promise<boolean> => {
      const [x, y] = [random(side - 40), random(side - 40)];
      const { data } = await levels.readLevelRegion(0, x, y, 40, 40);
      return data.every((value, at) => {
        const [column, row] = [x + (Math.floor(at / 3) % 40), y + Math.floor(at / 120)];
        return value === Math.floor(row / TILE) * 8 + Math.floor(column / TILE);
      });
    };
    for (let round = 0; round < 20; round++) {
      expect(await Promise.all(Array.from({ length: 6 }, check))).toEqual(Array.from({ length: 6 }, () => true));
    }
  });

  it('of another size than the level says are damage, not a hole', async () => {
    const level = { widthPx: 32, heightPx: 32, downsample: 1, tileWidthPx: 32, tileHeightPx: 32, columns: 1, rows: 1 };
    const levels = new TiledLevels([level], () => numbered(1));
    await expect(levels.readLevelRegion(0, 0, 0, 32, 32)).rejects.toMatchObject({ code: 'SlideDamaged' });
  });
});
