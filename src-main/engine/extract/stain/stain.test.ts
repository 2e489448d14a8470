import { existsSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { StainFit } from '../../../../src-shared/model/stain.ts';
import { seededRandom } from '../../../../src-shared/numeric/random.ts';
import { realDataFolder } from '../../testing/real-data.ts';
import { MACENKO_REFERENCE } from './macenko.ts';
import golden from './stain.golden.json' with { type: 'json' };
import { fitStain, normalisationKey, type StainMethod, stainTransform } from './stain.ts';

const folder = join(realDataFolder() ?? '', 'patches/stain-refs-torchstain/torchstain');

async function pixelsOf(name: string): Promise<Uint8Array> {
  return await sharp(join(folder, name)).removeAlpha().raw().toBuffer();
}

function fitted(method: StainMethod, rgb: Uint8Array): StainFit {
  const fit = fitStain(method, rgb);
  if (fit === null) throw new Error('nothing to fit');
  return fit;
}

/** An image of two stains with the vectors given, mixed at random. */
function twoStains(first: readonly number[], second: readonly number[]): Uint8Array {
  const random = seededRandom(3);
  const rgb = new Uint8Array(3 * 40_000);
  for (let at = 0; at < rgb.length; at += 3) {
    // Some pixels hold one stain only: without them no method can find the directions.
    const [a, b] = [random() < 0.2 ? 0 : random() * 1.5, random() < 0.2 ? 0 : random() * 1.5];
    for (let c = 0; c < 3; c++) {
      rgb[at + c] = Math.min(255, 240 * Math.exp(-a * (first[c] ?? 0) - b * (second[c] ?? 0)) - 1);
    }
  }
  return rgb;
}

describe.skipIf(!existsSync(join(folder, 'source.png')))('stain normalisation of a real pair of images', () => {
  it.each(['macenko', 'reinhard'] as const)(
    '%s fits and paints what the reference implementation does',
    async (method) => {
      const [source, target] = await Promise.all(['source.png', 'target.png'].map(pixelsOf));
      if (source === undefined || target === undefined) throw new Error('no images');
      const fit = fitted(method, source);
      const { method: _method, ...numbers } = fit;
      const close = (value: unknown, wanted: unknown): void => {
        if (Array.isArray(wanted)) for (const [i, part] of wanted.entries()) close((value as unknown[])[i], part);
        else expect(value).toBeCloseTo(wanted as number, 3);
      };
      for (const [name, wanted] of Object.entries(golden[method])) close(numbers[name as keyof typeof numbers], wanted);
      const painted = source.slice();
      stainTransform({ source: fit, target: fitted(method, target) })(painted);
      const wanted = method === 'macenko' ? golden.macenkoPixels : golden.reinhardPixels;
      const worst = wanted.reduce((most, value, i) => {
        const at = Math.floor(i / 3) * golden.every * 3 + (i % 3);
        return Math.max(most, Math.abs((painted[at] ?? 0) - value));
      }, 0);
      expect(wanted.length).toBeGreaterThan(1000);
      expect(worst).toBeLessThanOrEqual(1);
    },
  );
});

describe('stain normalisation', () => {
  const haematoxylin = [0.65, 0.7, 0.29];
  const eosin = [0.07, 0.99, 0.11];

  it('finds the stains an image was made of', () => {
    const fit = fitted('macenko', twoStains(haematoxylin, eosin));
    if (fit.method !== 'macenko') throw new Error(fit.method);
    const cosine = (a: readonly number[], b: readonly number[]): number => {
      const dot = (p: readonly number[], q: readonly number[]): number =>
        p.reduce((sum, value, i) => sum + value * (q[i] ?? 0), 0);
      return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    };
    expect(cosine(fit.stains[0], haematoxylin)).toBeGreaterThan(0.995);
    expect(cosine(fit.stains[1], eosin)).toBeGreaterThan(0.995);
  });

  it('brings an image to the target: fitted again, it has the target’s stains', () => {
    const rgb = twoStains(haematoxylin, eosin);
    stainTransform({ source: fitted('macenko', rgb), target: MACENKO_REFERENCE })(rgb);
    const again = fitted('macenko', rgb);
    if (again.method !== 'macenko') throw new Error(again.method);
    for (const [i, stain] of again.stains.entries()) {
      for (const [c, value] of stain.entries()) expect(value).toBeCloseTo(MACENKO_REFERENCE.stains[i]?.[c] ?? 0, 1);
    }
  });

  it.each(['macenko', 'reinhard'] as const)('%s to its own fit leaves stained pixels as they are', (method) => {
    const rgb = twoStains(haematoxylin, eosin);
    const fit = fitted(method, rgb);
    const painted = rgb.slice();
    stainTransform({ source: fit, target: fit })(painted);
    const worst = painted.reduce((most, value, i) => Math.max(most, Math.abs(value - (rgb[i] ?? 0))), 0);
    expect(worst).toBeLessThanOrEqual(method === 'reinhard' ? 1 : 6);
  });

  it('has nothing to fit where there is no tissue', () => {
    expect(fitStain('macenko', new Uint8Array(3000).fill(250))).toBeNull();
    expect(fitStain('reinhard', new Uint8Array(3000).fill(250))).toBeNull();
  });

  it('is part of what makes two runs the same', () => {
    const other = { ...MACENKO_REFERENCE, maxConcentrations: [2, 1] as const };
    expect(normalisationKey(null, {})).toBe('none');
    expect(normalisationKey(MACENKO_REFERENCE, {})).toMatch(/^macenko:[0-9a-f]{16}$/);
    expect(normalisationKey(other, {})).not.toBe(normalisationKey(MACENKO_REFERENCE, {}));
  });
});
