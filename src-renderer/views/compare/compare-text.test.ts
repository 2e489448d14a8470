import { describe, expect, it } from 'vitest';
import { intervalText, points, pText, signedPoints } from './compare-text.ts';

describe('numbers of a comparison in words', () => {
  it('are points of a hundred, a dash where there is none', () => {
    expect([points(0.8433), points(-0.333), points(null), points(Number.NaN)]).toEqual(['84.3', '−33.3', '–', '–']);
    expect(intervalText({ low: 0.573, high: 0.787 })).toBe('57.3 to 78.7');
    expect(intervalText({ low: null, high: null })).toBe('');
  });

  it('carry their sign, and none where they round to nothing', () => {
    expect([signedPoints(0.041), signedPoints(-0.008), signedPoints(0), signedPoints(-0.0001)]).toEqual([
      ...['+4.1', '−0.8', '0.0', '0.0'],
    ]);
  });

  it('say a small p value as a bound', () => {
    expect([pText(0.0004), pText(0.0342)]).toEqual(['< 0.001', '0.034']);
  });
});
