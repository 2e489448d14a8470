import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatDuration, formatLarge, formatWhen, keepUnits } from './format.ts';

describe('numbers for people', () => {
  it('writes sizes', () => {
    expect([0, 999, 1000, 1_938_955, 999_999, 4.2e9].map(formatBytes)).toEqual([
      '0 B',
      '999 B',
      '1.0 KB',
      '1.9 MB',
      '1.0 MB',
      '4.2 GB',
    ]);
  });

  it('groups thousands', () => {
    expect(formatCount(1_234_567)).toBe('1\u202f234\u202f567');
    expect(formatCount(47)).toBe('47');
  });

  it('shortens large counts', () => {
    expect([950, 11_176_512, 3.6e9].map(formatLarge)).toEqual(['950', '11.2 M', '3.6 G']);
  });

  it('writes time left', () => {
    expect([0, 12.4, 200, 7500].map(formatDuration)).toEqual(['0 s', '12 s', '3 min 20 s', '2 h 05 min']);
  });

  it('names today and yesterday', () => {
    const now = new Date(2026, 4, 3, 9, 0).getTime();
    expect(formatWhen(new Date(2026, 4, 3, 0, 1).getTime(), now)).toMatch(/^Today/);
    expect(formatWhen(new Date(2026, 4, 2, 23, 59).getTime(), now)).toMatch(/^Yesterday/);
    expect(formatWhen(new Date(2026, 3, 2).getTime(), now)).toContain('2026');
  });

  it('keeps a number and its unit on one line', () => {
    expect(keepUnits('hold 96 % of it, 20 µm apart, 3 tiles')).toBe('hold 96\u00a0% of it, 20\u00a0µm apart, 3 tiles');
  });
});
