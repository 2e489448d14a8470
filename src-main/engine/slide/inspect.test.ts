import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { realSlide } from '../testing/real-data.ts';
import { describeSlide, regionPng } from './inspect.ts';
import { openSlideSource } from './open-slide.ts';
import { openSlideLibrary } from './openslide/library.ts';
import { jpegPyramid, scratchFolder } from './test-files.ts';

const scratch = scratchFolder();
afterAll(() => scratch.remove());
const ndpi = realSlide('hamamatsu/test3-DAPI-2-(387).ndpi');

describe('describing a slide', () => {
  it.skipIf(ndpi === null || openSlideLibrary() === null)(
    "names stored levels and OpenSlide's where they differ",
    async () => {
      const description = await describeSlide(ndpi ?? '');
      expect(description.info.levels).toHaveLength(4);
      expect(description.openSlide?.levels).toHaveLength(7);
      expect(description.info.reader).toMatch(/^openslide \d/);
      expect(description.info.mpp?.xUm).toBeCloseTo(0.228175, 6);
    },
  );

  it('is JSON-safe', async () => {
    const description = await describeSlide(scratch.write('json.tif', await jpegPyramid()));
    expect(JSON.parse(JSON.stringify(description))).toEqual(description);
    expect(description.fingerprint).toHaveLength(64);
  });
});

describe('a region as PNG', () => {
  it('is native at a level, resampled at a pixel size, refused without one', async () => {
    const path = scratch.write('region.tif', await jpegPyramid({ description: 'Hyaline synthetic|MPP = 0.5' }));
    const slide = await openSlideSource(path);
    const level1 = await sharp((await regionPng(path, { x0Px: 20, y0Px: 40, widthPx: 30, heightPx: 10, level: 1 })).png)
      .raw()
      .toBuffer();
    expect(Buffer.compare(level1, (await slide.readLevelRegion(1, 10, 20, 30, 10)).data)).toBe(0);
    const coarse = await sharp(
      (await regionPng(path, { x0Px: 0, y0Px: 0, widthPx: 50, heightPx: 50, mppUm: 2 })).png,
    ).metadata();
    expect([coarse.width, coarse.height]).toEqual([50, 50]);
    await slide.close();
    const unknown = scratch.write('unknown.tif', await jpegPyramid());
    const spec = { x0Px: 0, y0Px: 0, widthPx: 10, heightPx: 10 };
    await expect(regionPng(unknown, { ...spec, mppUm: 1 })).rejects.toMatchObject({ code: 'MppUnknown' });
    await expect(regionPng(unknown, { ...spec, level: 7 })).rejects.toMatchObject({ code: 'InvalidRequest' });
  });
});
