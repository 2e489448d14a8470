import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { applyColourLut, ICC_LUT_SIDE } from '../../../src-shared/numeric/colour-lut.ts';
import { iccLut } from './icc-lut.ts';

/** A profile that sharp itself carries. */
async function profileOf(name: 'srgb' | 'p3'): Promise<Uint8Array> {
  const raw = { width: 1, height: 1, channels: 3 as const };
  const png = await sharp(new Uint8Array(3), { raw }).withIccProfile(name).png().toBuffer();
  return (await sharp(png).metadata()).icc ?? new Uint8Array(0);
}

/** Display P3 to sRGB by the published primaries (SMPTE EG 432-1, IEC 61966-2-1), 8 bit. */
function p3ToSrgb(rgb: readonly number[]): number[] {
  const linear = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  const matrix = [
    [1.2249401, -0.2249404, 0],
    [-0.0420569, 1.0420571, 0],
    [-0.0196376, -0.0786361, 1.0982735],
  ];
  return matrix.map((row) => {
    const value = Math.min(
      1,
      Math.max(
        0,
        row.reduce((sum, m, i) => sum + m * (linear[i] ?? 0), 0),
      ),
    );
    return 255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055);
  });
}

const SAMPLES = [
  [128, 80, 60],
  [200, 120, 160],
  [90, 60, 140],
  [255, 255, 255],
  [0, 0, 0],
  [17, 243, 99],
] as const;

describe('a colour profile', () => {
  let p3: Uint8Array;
  beforeAll(async () => {
    p3 = await iccLut(await profileOf('p3'));
  });

  it('that says sRGB changes nothing', async () => {
    const pixels = Uint8Array.from(SAMPLES.flat());
    applyColourLut(pixels, 3, await iccLut(await profileOf('srgb')));
    for (const [i, value] of SAMPLES.flat().entries())
      expect(Math.abs((pixels[i] ?? 0) - value)).toBeLessThanOrEqual(1);
  });

  it.each(SAMPLES)('that says Display P3 sends %i, %i, %i where its primaries say', (...rgb) => {
    const pixels = Uint8Array.from(rgb);
    applyColourLut(pixels, 3, p3);
    const expected = p3ToSrgb(rgb);
    for (const [c, value] of expected.entries()) expect(Math.abs((pixels[c] ?? 0) - value)).toBeLessThanOrEqual(2.5);
  });

  it('leaves the alpha channel alone', () => {
    const pixels = Uint8Array.of(128, 80, 60, 77);
    applyColourLut(pixels, 4, p3);
    expect(pixels[3]).toBe(77);
    expect(pixels[0]).not.toBe(128);
    expect(p3).toHaveLength(ICC_LUT_SIDE ** 3 * 3);
  });

  it('that is not one is refused', async () => {
    await expect(iccLut(new Uint8Array(200).fill(7))).rejects.toMatchObject({ code: 'SlideDamaged' });
  });
});
