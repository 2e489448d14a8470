import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatUm, scaleBar, umPerCssPx } from './scale-bar.ts';

describe('scale bar', () => {
  it('is as long as it says, a round number, and no longer than its place', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1e4, noNaN: true }), (um) => {
        const bar = scaleBar(um, 'um', 168);
        if (!bar) throw new Error('no bar');
        const [number = '', unit = ''] = bar.label.split(' ');
        const length = Number(number) * ({ nm: 1e-3, µm: 1, mm: 1e3 }[unit] ?? Number.NaN);
        expect(bar.widthCssPx * um).toBeCloseTo(length, 6);
        expect(bar.widthCssPx).toBeLessThanOrEqual(168.001);
        expect(bar.widthCssPx).toBeGreaterThan(168 / 2.6);
        expect([1, 2, 5]).toContain(Number(length.toExponential().split('e')[0]));
      }),
    );
  });

  it('measures in pixels where the pixel size is unknown', () => {
    expect(scaleBar(10, 'px', 168)?.label).toBe('1000 px');
    expect(scaleBar(250, 'px', 168)?.label).toBe('20 000 px');
  });

  it('draws nothing before there is a zoom', () => {
    expect(scaleBar(Number.POSITIVE_INFINITY, 'um', 168)).toBeNull();
    expect(scaleBar(0, 'um', 168)).toBeNull();
  });

  it('turns with the slide where pixels are not square', () => {
    const mpp = { xUm: 0.25, yUm: 0.5 };
    expect(umPerCssPx(2, 0, mpp)).toBeCloseTo(0.125);
    expect(umPerCssPx(2, 90, mpp)).toBeCloseTo(0.25);
    expect(umPerCssPx(2, 180, mpp)).toBeCloseTo(0.125);
  });

  it('writes lengths in the unit people read them in', () => {
    expect([0.5, 20, 2000].map(formatUm)).toEqual(['500 nm', '20 µm', '2 mm']);
  });
});
