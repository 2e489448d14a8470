import { describe, expect, it } from 'vitest';
import { NO_MASK_EDITS } from '../../../src-shared/model/mask-edits.ts';
import { DEFAULT_TISSUE, type TissueParams } from '../../../src-shared/model/run.ts';
import { TISSUE_PRESETS } from '../../../src-shared/model/tissue-presets.ts';
import { openSlideSource } from '../slide/open-slide.ts';
import type { SlideSource } from '../slide/slide-source.ts';
import { boxBlur } from '../slide/synthetic/paint-glass.ts';
import { realSlide } from '../testing/real-data.ts';
import { applyStrokes } from './edit-mask.ts';
import { memorySlide } from './memory-slide.ts';
import { measureSharpness } from './sharpness.ts';
import { computeTissueMask, summariseTissue } from './tissue-mask.ts';

const GLASS = [243, 242, 244] as const;
const STROMA = [224, 150, 190] as const;
const MPP = 2;
const PARAMS: TissueParams = { ...DEFAULT_TISSUE, maskMpp: 4, minTissueUm2: 2_000, maxHoleUm2: 2_000 };

describe('coverslip edges', () => {
  /** A slanted grey line, 40 µm wide, over glass and beside tissue. */
  const slide = memorySlide(2000, 1500, (x, y) => {
    if (Math.abs(y - 200 - x * 0.2) < 10) return [205, 206, 207];
    return x > 800 && x < 1200 && y > 800 && y < 1200 ? STROMA : GLASS;
  });

  it('are set apart from tissue', async () => {
    const summary = summariseTissue(await computeTissueMask(slide, MPP, PARAMS));
    expect(summary.tissueMm2).toBeCloseTo(0.64, 2);
    expect(summary.coverslipMm2).toBeGreaterThan(0.12);
  });

  it('are left alone where the user says so, and a thick grey patch is none', async () => {
    const off = summariseTissue(await computeTissueMask(slide, MPP, { ...PARAMS, findsCoverslip: false }));
    expect(off.coverslipMm2).toBe(0);
    const patch = memorySlide(2000, 1500, (x, y) =>
      x > 300 && x < 1700 && y > 300 && y < 800 ? [150, 151, 152] : GLASS,
    );
    const summary = summariseTissue(await computeTissueMask(patch, MPP, PARAMS));
    expect(summary).toMatchObject({ coverslipMm2: 0 });
    expect(summary.tissueMm2).toBeGreaterThan(2.7);
  });
});

describe('out of focus', () => {
  const path = realSlide('aperio/CMU-1-Small-Region.svs');

  it.skipIf(path === null)('tells a real slide in focus from the same slide blurred', async () => {
    const sharp = await openSlideSource(path ?? '');
    try {
      const blurred: SlideSource = {
        ...sharp,
        info: sharp.info,
        readRegion: async (request, signal) => {
          const image = await sharp.readRegion(request, signal);
          return { ...image, data: boxBlur(image.data, image.widthPx, image.heightPx, 1.2) };
        },
      };
      const mask = await computeTissueMask(sharp, 0.499, DEFAULT_TISSUE);
      const share = async (source: SlideSource): Promise<number> => {
        const judged = (await measureSharpness(source, mask)).values.filter((value) => !Number.isNaN(value));
        return judged.filter((value) => value < 0.5).length / judged.length;
      };
      expect(await share(sharp)).toBeLessThan(0.03);
      expect(await share(blurred)).toBeGreaterThan(0.97);
    } finally {
      await sharp.close();
    }
  });

  it('is marked apart only when asked for', async () => {
    const stripes = memorySlide(1600, 800, (x) => {
      // Fine stripes on the left, the same contrast as soft waves on the right.
      const phase = x < 800 ? (x / 4) % 2 : (x / 16) % 2;
      const wave = x < 800 ? (phase < 1 ? 1 : 0) : (1 + Math.cos(Math.PI * phase)) / 2;
      return [150 + 70 * wave, 70 + 70 * wave, 120 + 70 * wave];
    });
    expect(summariseTissue(await computeTissueMask(stripes, 1, PARAMS)).blurredMm2).toBe(0);
    const summary = summariseTissue(await computeTissueMask(stripes, 1, { ...PARAMS, minSharpness: 0.5 }));
    expect(Math.abs((summary.blurredMm2 ?? 0) - 0.64)).toBeLessThan(0.08);
    expect(summary.tissueMm2 + (summary.blurredMm2 ?? 0)).toBeCloseTo(1.28, 6);
  });
});

describe('the user’s strokes', () => {
  const slide = memorySlide(1000, 1000, (x, y) => (x > 300 && x < 700 && y > 300 && y < 700 ? STROMA : GLASS));

  it('add and remove discs of the brush’s area, in order, without touching the computed mask', async () => {
    const mask = await computeTissueMask(slide, MPP, PARAMS);
    const before = summariseTissue(mask).tissueMm2;
    const disc = (Math.PI * (100 * MPP) ** 2) / 1e6;
    const added = applyStrokes(mask, [{ kind: 'add', radiusLevel0Px: 100, points: [[150, 150]] }]);
    expect(summariseTissue(added).tissueMm2 - before).toBeCloseTo(disc, 2);
    const removed = applyStrokes(mask, [{ kind: 'remove', radiusLevel0Px: 100, points: [[500, 500]] }]);
    expect(before - summariseTissue(removed).tissueMm2).toBeCloseTo(disc, 2);
    expect(summariseTissue(mask).tissueMm2).toBe(before);
    expect(applyStrokes(mask, NO_MASK_EDITS.strokes)).toBe(mask);
  });

  it('join their points and may leave the slide', async () => {
    const mask = await computeTissueMask(slide, MPP, PARAMS);
    const points = [
      [-500, 900],
      [1500, 900],
    ] as const;
    const line = applyStrokes(mask, [{ kind: 'add', radiusLevel0Px: 20, points }]);
    const gained = summariseTissue(line).tissueMm2 - summariseTissue(mask).tissueMm2;
    expect(gained).toBeCloseTo((1000 * 40 * MPP * MPP) / 1e6, 2);
  });

  it('are part of the parameters, so that a mask is reproduced from them', async () => {
    const strokes = [{ kind: 'remove' as const, radiusLevel0Px: 600, points: [[500, 500]] as const }];
    expect(summariseTissue(await computeTissueMask(slide, MPP, { ...PARAMS, strokes })).tissueMm2).toBe(0);
  });
});

describe('presets', () => {
  it('keep a blue stain where blue is no ink', async () => {
    const blue = memorySlide(1000, 1000, (x, y) => (x > 300 && x < 700 && y > 300 && y < 700 ? [90, 140, 225] : GLASS));
    const tissueOf = async (id: string): Promise<number> => {
      const preset = TISSUE_PRESETS.find((candidate) => candidate.id === id);
      return summariseTissue(await computeTissueMask(blue, MPP, preset?.params ?? DEFAULT_TISSUE)).tissueMm2;
    };
    expect(await tissueOf('he')).toBe(0);
    expect(await tissueOf('ihc')).toBeCloseTo(0.64, 1);
    expect(await tissueOf('special')).toBeCloseTo(0.64, 1);
  });

  it('all compute', async () => {
    const slide = memorySlide(1000, 1000, (x) => (x < 400 ? STROMA : GLASS));
    for (const { params } of TISSUE_PRESETS) {
      expect(summariseTissue(await computeTissueMask(slide, MPP, params)).tissueMm2).toBeCloseTo(1.6, 1);
    }
  });
});
