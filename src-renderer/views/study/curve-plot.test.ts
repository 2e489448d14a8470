import { describe, expect, it } from 'vitest';
import { describeCurves, type LearningCurve, lossRange, plotCurves } from './curve-plot.ts';

const curve = (over: Partial<LearningCurve> = {}): LearningCurve => ({
  fold: 0,
  seed: 1,
  bestEpoch: 2,
  trainLoss: [0.8, 0.6, 0.4],
  validationLoss: [0.7, 0.5, 0.6],
  ...over,
});
const BOX = { left: 10, top: 0, right: 110, bottom: 80 };

describe('learning curves', () => {
  it('lie in their box, first epoch at the left, low loss at the bottom', () => {
    const { lines, best } = plotCurves([curve()], [0, 0.8], BOX);
    expect(lines).toEqual([
      { seed: 1, part: 'train', points: '10,0 60,20 110,40' },
      { seed: 1, part: 'validation', points: '10,10 60,30 110,20' },
    ]);
    expect(best).toEqual([{ seed: 1, x: 60, y: 30 }]);
  });

  it('stand a single epoch, and losses that are no numbers', () => {
    const single = curve({ bestEpoch: 1, trainLoss: [0.5], validationLoss: [Number.NaN] });
    const { lines, best, xTicks } = plotCurves([single], lossRange([single]), BOX);
    expect(lines.map(({ points }) => points)).toEqual([expect.stringMatching(/^10,[\d.]+$/), '']);
    expect(best).toEqual([]);
    expect(xTicks).toEqual([{ at: 10, text: '1' }]);
  });

  it('share a range that holds every loss and begins at 0', () => {
    const [low, high] = lossRange([curve(), curve({ trainLoss: [2, Number.NaN, 1] })]);
    expect(low).toBe(0);
    expect(high).toBeGreaterThan(2);
    expect(lossRange([])).toEqual([0, 1]);
  });

  it('are told in words', () => {
    expect(describeCurves(2, [curve(), curve({ seed: 2, bestEpoch: 3 })])).toBe(
      'Split 3, 2 seeds: weights kept from epochs 2 to 3, mean validation loss 0.550.',
    );
  });
});
