import { describe, expect, it } from 'vitest';
import { formatMagnification, objectiveOf, parseMagnification, zoomOfObjective, zoomPresets } from './magnification.ts';

describe('magnification', () => {
  it('calls a quarter of a micrometre a pixel 40x, whatever the scanner says', () => {
    expect(objectiveOf(1, 0.25)).toBe(40);
    expect(objectiveOf(0.5, 0.25)).toBe(20);
    expect(formatMagnification(1, 0.499)).toBe('20×');
    expect(formatMagnification(1, 0.265)).toBe('37.7×');
  });

  it('speaks of percent, never of objectives, where the pixel size is unknown', () => {
    expect(formatMagnification(0.25, null)).toBe('25 %');
    expect(zoomPresets(null).map(({ label }) => label)).toEqual(['10 %', '25 %', '50 %', '100 %', '200 %', '400 %']);
    expect(parseMagnification('20x', null)).toBeNull();
    expect(parseMagnification('20', null)).toBeCloseTo(0.2);
  });

  it('says nothing before anything is shown', () => {
    expect(formatMagnification(0, 0.25)).toBe('–');
    expect(formatMagnification(Number.NaN, 0.25)).toBe('–');
  });

  it('goes where its buttons say', () => {
    for (const { label, zoom } of zoomPresets(0.2325)) {
      expect(formatMagnification(zoom, 0.2325)).toBe(label);
    }
  });

  it.each([
    ['20', zoomOfObjective(20, 0.5)],
    [' 20× ', zoomOfObjective(20, 0.5)],
    ['12,5x', zoomOfObjective(12.5, 0.5)],
    ['50 %', 0.5],
    ['1:1', 1],
    ['1:2', 0.5],
  ])('understands %j', (text, zoom) => {
    expect(parseMagnification(text, 0.5)).toBeCloseTo(zoom, 12);
  });

  it.each(['', 'x', '0', '-5', '1:0', '20 20', 'twenty'])('refuses %j', (text) => {
    expect(parseMagnification(text, 0.5)).toBeNull();
  });
});
