import { describe, expect, it } from 'vitest';
import { logTicks, polyline, roundTicks, scaleOf, scoreRange, spreadLabels } from './plot-scale.ts';

describe('scales of plots', () => {
  it('map evenly, or by powers', () => {
    expect(scaleOf(0, 10, 100, 200)(2.5)).toBe(125);
    expect(scaleOf(1, 100, 0, 10, true)(10)).toBeCloseTo(5, 12);
    expect(scaleOf(3, 3, 0, 10)(3)).toBe(5);
  });

  it('stand at round numbers within the range', () => {
    expect(roundTicks(0.43, 0.97, 5).map((tick) => Number(tick.toFixed(6)))).toEqual([0.5, 0.6, 0.7, 0.8, 0.9]);
    expect(logTicks(1e4, 2e7)).toEqual([1e4, 1e5, 1e6, 1e7]);
    expect(logTicks(3, 40)).toEqual([5, 10, 20]);
  });

  it('leave room around scores, never beyond 0 and 1', () => {
    expect(scoreRange([0.5, 0.99])[1]).toBe(1);
    expect(scoreRange([0.5, Number.NaN])).toEqual([0.48, 0.52]);
    expect(scoreRange([])).toEqual([0, 1]);
  });

  it('draw only what is a number, and keep labels apart', () => {
    expect(
      polyline([
        [0, 1],
        [1, Number.NaN],
        [2, 3],
      ]),
    ).toBe('0.0,1.0 2.0,3.0');
    expect(spreadLabels([10, 12, 40], 14)).toEqual([10, 24, 40]);
  });
});
