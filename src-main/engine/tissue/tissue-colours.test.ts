import { expect, it } from 'vitest';
import { DEFAULT_TISSUE, type TissueParams } from '../../../src-shared/model/run.ts';
import { memorySlide } from './memory-slide.ts';
import { measureColours } from './tissue-colours.ts';
import { computeTissueMask } from './tissue-mask.ts';

const PARAMS: TissueParams = { ...DEFAULT_TISSUE, maskMpp: 2, minTissueUm2: 0, maxHoleUm2: 0 };
const GLASS = [243, 242, 244] as const;
const PINK = [224, 150, 190] as const;
const BLUE = [110, 80, 160] as const;
const density = (value: number): number => -Math.log10((value + 1) / 256);

it('measures mean and spread of the optical densities of tissue, glass left out, however the slide is cut into blocks', async () => {
  // Tissue on both sides of a block's edge: three quarters pink, one quarter blue.
  const slide = memorySlide(700, 120, (x, y) => {
    if (x < 400 || x >= 600 || y < 20 || y >= 100) return GLASS;
    return x >= 550 ? BLUE : PINK;
  });
  const mask = await computeTissueMask(slide, 2, PARAMS);
  const colours = await measureColours(slide, mask);
  const expected = PINK.map((pink, channel) => {
    const [p, b] = [density(pink), density(BLUE[channel] ?? 0)];
    return { mean: 0.75 * p + 0.25 * b, spread: Math.sqrt(0.75 * 0.25) * Math.abs(p - b) };
  });
  const logs = [...expected.map(({ mean }) => mean), ...expected.map(({ spread }) => spread)];
  expect(colours).toHaveLength(logs.length);
  logs.forEach((value, i) => {
    expect(colours?.[i]).toBeCloseTo(Math.log(value + 0.01), 9);
  });
});

it('has nothing to say of a slide without tissue', async () => {
  const slide = memorySlide(300, 300, () => GLASS);
  expect(await measureColours(slide, await computeTissueMask(slide, 2, PARAMS))).toBeNull();
});
