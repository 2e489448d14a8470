import { describe, expect, it } from 'vitest';
import { heatCell } from './heat-cell.ts';

/** Relative luminance (WCAG 2.2). */
function luminance(colour: string): number {
  const hex = /^#(..)(..)(..)$/
    .exec(colour)
    ?.slice(1)
    .map((part) => Number.parseInt(part, 16));
  const channels = (hex ?? colour.match(/\d+/g)?.map(Number) ?? []).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const [r = 0, g = 0, b = 0] = channels;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

describe('cells of a similarity matrix', () => {
  it('keep their number readable, 4.5 to 1, whatever it is', () => {
    const values = [null, ...Array.from({ length: 1001 }, (_, i) => i / 1000)];
    const contrasts = values.map((value) => {
      const { fill, ink } = heatCell(value);
      const [light = 0, dark = 0] = [luminance(fill), luminance(ink)].sort((a, b) => b - a);
      return (light + 0.05) / (dark + 0.05);
    });
    expect(Math.min(...contrasts)).toBeGreaterThan(4.5);
  });
});
