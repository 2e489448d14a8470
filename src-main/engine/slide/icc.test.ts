import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyDisplayLut, iccDisplayLut, LUT_SIDE } from './icc.ts';

const golden = JSON.parse(readFileSync(new URL('./icc.golden.json', import.meta.url), 'utf8')) as {
  colours: number[];
  profiles: Record<string, { profile: string; srgb: number[] }>;
};

describe("the display table of an ICC profile, against Pillow's LittleCMS", () => {
  it.each(Object.entries(golden.profiles))(
    '%s: within 2 grey values inside sRGB, and near beyond it',
    async (_name, { profile, srgb }) => {
      const lut = await iccDisplayLut(new Uint8Array(Buffer.from(profile, 'base64')));
      expect(lut).toHaveLength(LUT_SIDE ** 3 * 3);
      const pixels = Uint8Array.from(golden.colours);
      applyDisplayLut(pixels, lut);
      let inside = 0;
      for (let at = 0; at < srgb.length; at += 3) {
        const wanted = srgb.slice(at, at + 3);
        const off = Math.max(...wanted.map((value, channel) => Math.abs(value - (pixels[at + channel] ?? 0))));
        const clipped = wanted.some((value) => value < 30 || value > 250);
        if (!clipped) inside++;
        expect(off).toBeLessThanOrEqual(clipped ? 20 : 2);
      }
      expect(inside).toBeGreaterThan(80);
    },
  );

  it('moves colours at all where the profile is not sRGB', () => {
    const { srgb } = golden.profiles['wide gamut'] ?? { srgb: [] };
    expect(srgb.filter((value, index) => Math.abs(value - (golden.colours[index] ?? 0)) > 5).length).toBeGreaterThan(
      100,
    );
  });

  it('is refused for bytes that are no RGB profile', async () => {
    await expect(iccDisplayLut(new Uint8Array(500))).rejects.toMatchObject({ code: 'SlideDamaged' });
    const garbage = new Uint8Array(500);
    garbage.set(new TextEncoder().encode('RGB '), 16);
    await expect(iccDisplayLut(garbage)).rejects.toMatchObject({ code: 'SlideDamaged' });
  });
});
