import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEMO_SLIDE } from './demo.ts';
import { emptyFields, lesionTruth } from './fields.ts';
import { blurAt } from './paint-glass.ts';
import { renderRegion } from './render-region.ts';
import { makeScene, type Scene } from './scene.ts';
import { tileStatistics } from './tile-statistics.ts';

const { widthPx, heightPx, seed, lesions } = DEMO_SLIDE;
const demo = makeScene({ widthPx, heightPx, seed, lesions, mppUm: 0.5 });

/** The same rectangle painted at once and in pieces of the given sides. */
function painted(scene: Scene, x0: number, y0: number, width: number, height: number, side: number): Uint8Array {
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += side) {
    for (let x = 0; x < width; x += side) {
      const [w, h] = [Math.min(side, width - x), Math.min(side, height - y)];
      const piece = renderRegion(scene, x0 + x, y0 + y, w, h);
      for (let row = 0; row < h; row++) {
        rgb.set(piece.subarray(row * w * 3, (row + 1) * w * 3), ((y + row) * width + x) * 3);
      }
    }
  }
  return rgb;
}

describe('renderRegion', () => {
  const { lesions: planted, blurs, pens } = demo.layout;
  const places = [
    ['a lesion', planted[0]?.xUm, planted[0]?.yUm],
    ['the rim of an out-of-focus patch', (blurs[0]?.xUm ?? 0) + 0.8 * (blurs[0]?.radiusUm ?? 0), blurs[0]?.yUm],
    ['a pen stroke', pens[0]?.points[6]?.[0], pens[0]?.points[6]?.[1]],
    ['the middle of the tissue', widthPx / 4, heightPx / 4],
    ['the edge of the slide', 0, 0],
  ] as const;

  it.each(places)('gives the same pixels however %s is cut into tiles', (_name, xUm = 0, yUm = 0) => {
    const [x0, y0] = [Math.round(xUm / 0.5) - 131, Math.round(yUm / 0.5) - 97];
    const whole = renderRegion(demo, x0, y0, 300, 220);
    expect(Buffer.compare(painted(demo, x0, y0, 300, 220, 97), whole)).toBe(0);
    expect(Buffer.compare(painted(demo, x0, y0, 300, 220, 256), whole)).toBe(0);
  });

  it('depends on the seed and on nothing that was painted before', () => {
    const scene = (other: number): Scene =>
      makeScene({ widthPx: 3000, heightPx: 3000, mppUm: 0.5, seed: other, lesions: 1 });
    const first = renderRegion(scene(3), 1400, 1400, 200, 200);
    expect(Buffer.compare(renderRegion(scene(3), 1400, 1400, 200, 200), first)).toBe(0);
    expect(Buffer.compare(renderRegion(scene(4), 1400, 1400, 200, 200), first)).not.toBe(0);
  });

  it.each([0, 1, 2, 3, 4, 5])('puts tissue and a lesion even on a very small slide (seed %i)', (other) => {
    const small = makeScene({ widthPx: 600, heightPx: 500, mppUm: 0.5, seed: other, lesions: 1 });
    const rgb = renderRegion(small, 0, 0, 600, 500);
    let stained = 0;
    for (let at = 0; at < rgb.length; at += 3) if ((rgb[at + 1] ?? 0) < 200) stained++;
    expect(stained / (600 * 500)).toBeGreaterThan(0.2);
    const lesion = small.layout.lesions[0] ?? { xUm: 0, yUm: 0 };
    expect(lesionTruth(small, lesion.xUm, lesion.yUm, emptyFields())).toBe(true);
  });

  it('blurs what is out of focus: less contrast between neighbours there than in focus', () => {
    const roughness = (x0: number, y0: number): number => {
      const rgb = renderRegion(demo, Math.round(x0), Math.round(y0), 128, 128);
      let sum = 0;
      for (let at = 3; at < rgb.length; at++) sum += Math.abs((rgb[at] ?? 0) - (rgb[at - 3] ?? 0));
      return sum / rgb.length;
    };
    const blur = blurs[0] ?? { xUm: 0, yUm: 0, radiusUm: 0 };
    expect(blurAt(demo, blur.xUm, blur.yUm)).toBe(1);
    const inFocus = { xUm: planted[0]?.xUm ?? 0, yUm: planted[0]?.yUm ?? 0 };
    expect(blurAt(demo, inFocus.xUm, inFocus.yUm)).toBe(0);
    expect(roughness(blur.xUm * 2 - 64, blur.yUm * 2 - 64)).toBeLessThan(
      0.5 * roughness(inFocus.xUm * 2 - 64, inFocus.yUm * 2 - 64),
    );
  });
});

interface Golden {
  readonly ranges: Readonly<Record<string, { readonly min: number; readonly max: number }>>;
}

describe('histology', () => {
  const golden: Golden = JSON.parse(readFileSync(new URL('./histology.golden.json', import.meta.url), 'utf8'));

  it.each([seed, 1, 2])('of seed %i has the colours and the nuclei of a real H&E slide', (other) => {
    const scene = makeScene({ widthPx, heightPx, mppUm: 0.5, seed: other, lesions });
    const tiles: Record<string, number>[] = [];
    for (let y = 128; y + 256 <= heightPx; y += 768) {
      for (let x = 128; x + 256 <= widthPx; x += 768) {
        const statistics = tileStatistics(renderRegion(scene, x, y, 256, 256), 256, 256, 0.5);
        if (statistics !== null) tiles.push(statistics);
      }
    }
    expect(tiles.length).toBeGreaterThan(15);
    for (const [name, range] of Object.entries(golden.ranges)) {
      const mean = tiles.reduce((sum, tile) => sum + (tile[name] ?? Number.NaN), 0) / tiles.length;
      expect(mean, name).toBeGreaterThanOrEqual(range.min);
      expect(mean, name).toBeLessThanOrEqual(range.max);
    }
  });

  it('packs more and darker nuclei into a lesion than into the tissue around it', () => {
    const inside = demo.layout.lesions.map(({ xUm, yUm }) =>
      renderRegion(demo, Math.round(xUm * 2) - 192, Math.round(yUm * 2) - 192, 384, 384),
    );
    const darkShare = (rgb: Uint8Array): number => {
      let dark = 0;
      for (let at = 0; at < rgb.length; at += 3) if ((rgb[at] ?? 0) < 90) dark++;
      return (3 * dark) / rgb.length;
    };
    const around = [0.25, 0.5, 0.75].flatMap((fx) =>
      [0.25, 0.75].map((fy) => darkShare(renderRegion(demo, widthPx * fx - 192, heightPx * fy - 192, 384, 384))),
    );
    const typical = around.sort((a, b) => a - b)[2] ?? 0;
    for (const rgb of inside) expect(darkShare(rgb)).toBeGreaterThan(2 * typical);
  });
});
