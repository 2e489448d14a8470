import sharp, { type Sharp } from 'sharp';
import { expect, it } from 'vitest';
import { DEFAULT_TISSUE, type TissueParams } from '../../../src-shared/model/run.ts';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import type { RgbImage } from '../slide/slide-source.ts';
import { measureFieldSharpness } from './field-sharpness.ts';
import { measureFieldStain } from './field-stain.ts';
import { memorySlide } from './memory-slide.ts';
import { APPEARANCE_DIM, measureAppearance } from './slide-appearance.ts';
import { FIELD_PX, MOST_FIELDS, readTissueFields } from './tissue-fields.ts';
import { computeTissueMask } from './tissue-mask.ts';

const SIDE = FIELD_PX;
const HAEMATOXYLIN = [0.65, 0.7, 0.29] as const;
const EOSIN = [0.07, 0.99, 0.11] as const;
const GLASS = [243, 242, 244] as const;
const PARAMS: TissueParams = { ...DEFAULT_TISSUE, maskMpp: 4, minTissueUm2: 0, maxHoleUm2: 0 };

/** Nuclei of haematoxylin on grainy eosin, in stains times their gains. */
function tissue(
  seed: number,
  nuclei: number,
  gains: readonly [h: number, e: number] = [1, 1],
  second: readonly number[] = EOSIN,
): RgbImage {
  const random = seededRandom(seed);
  const haematoxylin = new Float64Array(SIDE * SIDE);
  for (let n = 0; n < nuclei; n++) {
    const [cx, cy, radius] = [SIDE * random(), SIDE * random(), 4 + 4 * random()];
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        if (Math.hypot(x - cx, y - cy) < radius) haematoxylin[y * SIDE + x] = 1.1 + 0.2 * nextGaussian(random);
      }
    }
  }
  const data = new Uint8Array(SIDE * SIDE * 3);
  for (let at = 0; at < SIDE * SIDE; at++) {
    const [h, e] = [gains[0] * (haematoxylin[at] ?? 0), gains[1] * (0.35 + 0.08 * nextGaussian(random))];
    for (let c = 0; c < 3; c++) {
      data[3 * at + c] = Math.round(250 * Math.exp(-h * (HAEMATOXYLIN[c] ?? 0) - e * (second[c] ?? 0)));
    }
  }
  return { widthPx: SIDE, heightPx: SIDE, data };
}

const of = (image: RgbImage): number => measureFieldSharpness([image])?.[0] ?? Number.NaN;
const changed = async (image: RgbImage, change: (pixels: Sharp) => Sharp): Promise<RgbImage> => {
  const raw = { width: image.widthPx, height: image.heightPx, channels: 3 } as const;
  return { ...image, data: await change(sharp(image.data, { raw })).raw().toBuffer() };
};
const mapped = (image: RgbImage, value: (byte: number) => number): RgbImage => ({
  ...image,
  data: Uint8Array.from(image.data, (byte) => Math.round(value(byte))),
});

it('knows blur of a pixel from a pixel on, and not brightness, gamma or the amount of stain', async () => {
  const sharpest = of(tissue(1, 12));
  const blurred: number[] = [];
  for (const sigma of [0.7, 1, 2]) blurred.push(of(await changed(tissue(1, 12), (pixels) => pixels.blur(sigma))));
  const alike = [
    of(mapped(tissue(1, 12), (byte) => 0.85 * byte)),
    of(mapped(tissue(1, 12), (byte) => 255 * (byte / 255) ** 1.3)),
    of(tissue(1, 12, [0.8, 0.8])),
    of(tissue(2, 12)),
    of(tissue(3, 20)),
  ];
  const least = Math.min(...blurred.map((value) => sharpest - value));
  expect([...blurred].sort((a, b) => b - a)).toEqual(blurred);
  for (const value of alike) expect(Math.abs(value - sharpest)).toBeLessThan(least / 3);
});

it('knows other hues whatever there is of nuclei', () => {
  const atDensities = (image: RgbImage): Float64Array =>
    measureFieldStain([image])?.subarray(4, 8) ?? new Float64Array();
  const apart = (a: Float64Array, b: Float64Array): number => Math.hypot(...a.map((value, i) => value - (b[i] ?? 0)));
  const usual = atDensities(tissue(1, 12));
  const cellular = apart(usual, atDensities(tissue(2, 24)));
  // As another scanner's red does.
  const redder = mapped(tissue(1, 12), (byte) => byte);
  for (let at = 0; at < redder.data.length; at += 3) redder.data[at] = Math.round(0.85 * (redder.data[at] ?? 0));
  expect(apart(usual, atDensities(redder))).toBeGreaterThan(2 * cellular);
  const density = (image: RgbImage): number => measureFieldStain([image])?.[9] ?? Number.NaN;
  expect(density(tissue(1, 12, [0.7, 0.7]))).toBeLessThan(density(tissue(1, 12)) - 0.2);
});

it('knows how stains mix whatever the light, by the logarithm of a covariance', () => {
  const mixture = (image: RgbImage): Float64Array => measureFieldStain([image])?.subarray(11) ?? new Float64Array();
  const apart = (a: Float64Array, b: Float64Array): number => Math.hypot(...a.map((value, i) => value - (b[i] ?? 0)));
  const usual = mixture(tissue(1, 12));
  expect(usual).toHaveLength(6);
  const bluishLight = mapped(tissue(1, 12), (byte) => byte);
  for (let at = 0; at < bluishLight.data.length; at += 3) {
    bluishLight.data[at] = Math.round(0.85 * (bluishLight.data[at] ?? 0));
  }
  const otherStain = tissue(1, 12, [1, 1], [0.25, 0.9, 0.35]);
  expect(apart(usual, mixture(otherStain))).toBeGreaterThan(5 * apart(usual, mixture(bluishLight)));
  expect(apart(usual, mixture(otherStain))).toBeGreaterThan(2 * apart(usual, mixture(tissue(2, 16))));
  // Two thirds of both stains: (2/3)^2 of every variance, the same axes.
  const stronger = mixture(tissue(1, 20, [1.2, 1.5]));
  const weaker = mixture(tissue(1, 20, [0.8, 1]));
  const fall = Array.from(stronger, (value, i) => value - (weaker[i] ?? 0));
  expect(fall.slice(0, 3).reduce((sum, value) => sum + value / 3, 0)).toBeCloseTo(2 * Math.log(1.5), 0);
  for (const value of fall.slice(3)) expect(Math.abs(value)).toBeLessThan(0.4);
});

it('reads squares of tissue as the file holds them, spread over the slide', async () => {
  const paint = (x: number, y: number) =>
    x < 1024 || y < 512 ? GLASS : ([190, 110 + (Math.floor(x + y) % 40), 170] as const);
  const slide = memorySlide(4096, 2048, paint);
  const coarse = await readTissueFields(slide, await computeTissueMask(slide, 0.5, PARAMS));
  expect(coarse).toHaveLength(MOST_FIELDS);
  for (const { data } of coarse) expect(data.filter((_, at) => at % 3 === 0).every((red) => red === 190)).toBe(true);
  const fine = await readTissueFields(slide, await computeTissueMask(slide, 0.25, PARAMS));
  expect(fine).toHaveLength(MOST_FIELDS);
  const tiny = memorySlide(100, 100, paint);
  expect(await readTissueFields(tiny, await computeTissueMask(tiny, 0.5, PARAMS))).toHaveLength(0);
});

it('has nothing to say of glass', async () => {
  const slide = memorySlide(600, 600, () => GLASS);
  const appearance = await measureAppearance(slide, await computeTissueMask(slide, 0.5, PARAMS));
  expect(appearance).toHaveLength(APPEARANCE_DIM);
  expect(appearance.every(Number.isNaN)).toBe(true);
});
