import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { DEFAULT_TISSUE, type TissueParams } from '../../../src-shared/model/run.ts';
import { memorySlide } from './memory-slide.ts';
import { computeTissueMask, summariseTissue, TISSUE_CLASS } from './tissue-mask.ts';
import { tissuePng } from './tissue-png.ts';

const GLASS = [243, 242, 244] as const;
const STROMA = [224, 150, 190] as const;
const GREEN = [40, 160, 110] as const;
const BLACK = [12, 12, 14] as const;
/** 4 µm a mask pixel on a 2 µm slide: 2 level-0 pixels. */
const PARAMS: TissueParams = { ...DEFAULT_TISSUE, maskMpp: 4, minTissueUm2: 2_000, maxHoleUm2: 2_000 };
const MPP = 2;

const inBox = (x: number, y: number, left: number, top: number, width: number, height: number): boolean =>
  x >= left && x < left + width && y >= top && y < top + height;

describe('computeTissueMask', () => {
  it('measures a square of tissue on glass by its true area', async () => {
    const slide = memorySlide(2000, 1000, (x, y) => (inBox(x, y, 400, 200, 500, 600) ? STROMA : GLASS));
    const summary = summariseTissue(await computeTissueMask(slide, MPP, PARAMS));
    expect(summary.tissueMm2).toBeCloseTo((500 * 600 * MPP * MPP) / 1e6, 6);
    expect(summary.slideMm2).toBeCloseTo((2000 * 1000 * MPP * MPP) / 1e6, 6);
    expect(summary.penMm2).toBe(0);
  });

  it('finds dark but unsaturated tissue by its optical density', async () => {
    const slide = memorySlide(1000, 1000, (x, y) => (inBox(x, y, 300, 300, 400, 400) ? [120, 116, 114] : GLASS));
    expect(summariseTissue(await computeTissueMask(slide, MPP, PARAMS)).tissueMm2).toBeCloseTo(0.64, 6);
  });

  it('drops specks and fills holes by area in µm², and keeps larger ones', async () => {
    const slide = memorySlide(1000, 1000, (x, y) => {
      if (inBox(x, y, 40, 40, 20, 20)) return STROMA; // 1,600 µm²: a speck
      if (inBox(x, y, 300, 300, 20, 20)) return GLASS; // 1,600 µm²: a hole to fill
      if (inBox(x, y, 500, 500, 40, 40)) return GLASS; // 6,400 µm²: a lumen to keep
      return inBox(x, y, 200, 200, 600, 600) ? STROMA : GLASS;
    });
    const summary = summariseTissue(await computeTissueMask(slide, MPP, PARAMS));
    expect(summary.tissueMm2).toBeCloseTo(((600 * 600 - 40 * 40) * MPP * MPP) / 1e6, 6);
  });

  it('sets pen strokes and black borders apart from tissue', async () => {
    const slide = memorySlide(1200, 1000, (x, y) => {
      if (x < 60) return BLACK;
      if (inBox(x, y, 800, 100, 60, 800)) return GREEN;
      if (inBox(x, y, 1000, 100, 150, 400)) return BLACK;
      return inBox(x, y, 200, 200, 400, 400) ? STROMA : GLASS;
    });
    const mask = await computeTissueMask(slide, MPP, PARAMS);
    const at = (x: number, y: number): number | undefined =>
      mask.classes[Math.floor(y / mask.downsampleY) * mask.widthPx + Math.floor(x / mask.downsampleX)];
    expect(at(30, 500)).toBe(TISSUE_CLASS.border);
    expect(at(830, 500)).toBe(TISSUE_CLASS.pen);
    expect(at(1070, 300)).toBe(TISSUE_CLASS.pen);
    expect(at(400, 400)).toBe(TISSUE_CLASS.tissue);
    expect(at(700, 500)).toBe(TISSUE_CLASS.background);
    expect(summariseTissue(mask).tissueMm2).toBeCloseTo(0.64, 6);
    const noPens = await computeTissueMask(slide, MPP, { ...PARAMS, penInks: [] });
    expect(summariseTissue(noPens).penMm2).toBe(0);
  });

  it('finds no tissue on empty, slightly noisy glass, and all of it on a full field', async () => {
    const noise = (x: number, y: number): number => Math.floor((Math.sin(x * 12.9898 + y * 78.233) * 43758.5453) % 3);
    const empty = memorySlide(600, 600, (x, y) => [242 + noise(x, y), 242 + noise(y, x), 243]);
    expect(summariseTissue(await computeTissueMask(empty, MPP, PARAMS)).tissueMm2).toBe(0);
    const full = memorySlide(600, 600, (x) => (x < 300 ? STROMA : [120, 70, 150]));
    expect(summariseTissue(await computeTissueMask(full, MPP, PARAMS)).tissueMm2).toBeCloseTo(1.44, 6);
  });

  it('reads no finer than level 0 and in blocks of bounded size', async () => {
    const small = memorySlide(300, 200, () => GLASS);
    const fine = await computeTissueMask(small, MPP, { ...PARAMS, maskMpp: 0.1 });
    expect([fine.widthPx, fine.heightPx, fine.maskMpp]).toEqual([300, 200, MPP]);

    const large = memorySlide(100_000, 100_000, () => GLASS);
    const mask = await computeTissueMask(large, 0.25, { ...PARAMS, maskMpp: 64 });
    expect([mask.widthPx, mask.heightPx]).toEqual([391, 391]);
    expect(large.largestReadPx()).toBeLessThan(20_000_000);
  });

  it('follows a threshold the user sets, and refuses impossible ones', async () => {
    const slide = memorySlide(400, 400, (x) => (x < 200 ? STROMA : GLASS));
    const strict = await computeTissueMask(slide, MPP, {
      ...PARAMS,
      saturationThreshold: 0.9,
      opticalDensityThreshold: 2,
    });
    expect(summariseTissue(strict)).toMatchObject({ saturationThreshold: 0.9, tissueMm2: 0 });
    await expect(computeTissueMask(slide, MPP, { ...PARAMS, maskMpp: 0 })).rejects.toMatchObject({
      code: 'InvalidRequest',
    });
  });
});

describe('tissuePng', () => {
  it('is clear over tissue and shaded elsewhere', async () => {
    const slide = memorySlide(400, 200, (x) => (x < 200 ? STROMA : GLASS));
    const mask = await computeTissueMask(slide, MPP, PARAMS);
    const { data, info } = await sharp(await tissuePng(mask))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([200, 100, 4]);
    expect(data[50 * 800 + 20 * 4 + 3]).toBe(0);
    expect(data[50 * 800 + 180 * 4 + 3]).toBeGreaterThan(60);
  });
});
