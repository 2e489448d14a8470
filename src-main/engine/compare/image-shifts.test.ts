import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src-shared/numeric/random.ts';
import { hedJitter, IMAGE_SHIFTS, type RgbImage } from './image-shifts.ts';

const random = seededRandom(2);
const data = Uint8Array.from({ length: 24 * 20 * 3 }, () => 40 + Math.floor(200 * random()));
const image: RgbImage = { data, widthPx: 24, heightPx: 20 };

function meanGap(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0) / a.length;
}

describe('shifts of an image', () => {
  it.each(IMAGE_SHIFTS.flatMap((shift) => shift.levels.map((level) => [shift.name, level, shift] as const)))(
    '%s %d keeps the size, changes the pixels and is the same again',
    async (_name, level, shift) => {
      const once = await shift.apply(image, level, 7);
      expect(once).toHaveLength(data.length);
      expect(meanGap(once, data)).toBeGreaterThan(1);
      expect(Buffer.compare(Buffer.from(once), Buffer.from(await shift.apply(image, level, 7)))).toBe(0);
    },
  );

  it('jitters more with a larger sigma, not at all with none', () => {
    expect(hedJitter(image, 0, 3)).toEqual(data);
    expect(meanGap(hedJitter(image, 0.2, 3), data)).toBeGreaterThan(meanGap(hedJitter(image, 0.05, 3), data));
  });

  it('turns by a right angle exactly', async () => {
    const square: RgbImage = { data: data.slice(0, 16 * 16 * 3), widthPx: 16, heightPx: 16 };
    const turn = IMAGE_SHIFTS.find(({ name }) => name === 'rotation');
    const turned = await turn?.apply(square, 90, 1);
    const at = (of: Uint8Array | undefined, x: number, y: number) => of?.[(y * 16 + x) * 3];
    for (const [x, y] of [
      [0, 0],
      [3, 7],
      [15, 2],
    ] as const)
      expect(at(turned, 15 - y, x)).toBe(at(square.data, x, y));
  });
});
