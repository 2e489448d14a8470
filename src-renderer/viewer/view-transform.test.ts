import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyAffine,
  invertAffine,
  placed,
  snappedCentre,
  type ViewState,
  viewCorners,
  viewTransform,
} from './view-transform.ts';

const view = (over: Partial<ViewState> = {}): ViewState => ({
  centreX0Px: 1000,
  centreY0Px: 500,
  zoom: 0.5,
  rotationDeg: 0,
  widthCssPx: 800,
  heightCssPx: 600,
  ...over,
});

const anyView = fc
  .record({
    centreX0Px: fc.integer({ min: 0, max: 100_000 }),
    centreY0Px: fc.integer({ min: 0, max: 100_000 }),
    zoom: fc.double({ min: 0.002, max: 16, noNaN: true }),
    rotationDeg: fc.integer({ min: -360, max: 360 }),
  })
  .map(view);

describe('view transform', () => {
  it('puts the centre of the view at the middle of the screen, however turned', () => {
    fc.assert(
      fc.property(anyView, (v) => {
        const middle = applyAffine(viewTransform(v), { x: v.centreX0Px, y: v.centreY0Px });
        expect(middle.x).toBeCloseTo(400, 6);
        expect(middle.y).toBeCloseTo(300, 6);
      }),
    );
  });

  it('keeps lengths but for the zoom', () => {
    fc.assert(
      fc.property(anyView, fc.integer({ min: -500, max: 500 }), fc.integer({ min: -500, max: 500 }), (v, dx, dy) => {
        const m = viewTransform(v);
        const a = applyAffine(m, { x: v.centreX0Px, y: v.centreY0Px });
        const b = applyAffine(m, { x: v.centreX0Px + dx, y: v.centreY0Px + dy });
        expect(Math.hypot(b.x - a.x, b.y - a.y)).toBeCloseTo(Math.hypot(dx, dy) * v.zoom, 5);
      }),
    );
  });

  it('turns clockwise: what is right of the centre comes to lie below it at 90 degrees', () => {
    const at = applyAffine(viewTransform(view({ rotationDeg: 90 })), { x: 1100, y: 500 });
    expect(at.x).toBeCloseTo(400, 9);
    expect(at.y).toBeCloseTo(350, 9);
  });

  it('never mirrors', () => {
    fc.assert(
      fc.property(anyView, (v) => {
        const m = viewTransform(v);
        expect(m.a * m.d - m.b * m.c).toBeGreaterThan(0);
      }),
    );
  });

  it('finds back the slide pixel under a screen pixel to a hundredth', () => {
    fc.assert(
      fc.property(anyView, fc.integer({ min: 0, max: 800 }), fc.integer({ min: 0, max: 600 }), (v, x, y) => {
        const m = viewTransform(v);
        const back = applyAffine(m, applyAffine(invertAffine(m), { x, y }));
        expect(Math.abs(back.x - x)).toBeLessThan(0.01);
        expect(Math.abs(back.y - y)).toBeLessThan(0.01);
      }),
    );
  });

  it('lays the last tile of a large map where it belongs: no drift from a float stride', () => {
    const stride = 448.897_795_591_182_4;
    const m = placed(viewTransform(view({ zoom: 1, centreX0Px: 99_000, centreY0Px: 99_000 })), stride, 0, 0);
    const corner = applyAffine(m, { x: 220, y: 220 });
    const tile = applyAffine(viewTransform(view({ zoom: 1, centreX0Px: 99_000, centreY0Px: 99_000 })), {
      x: Math.round(220 * stride),
      y: Math.round(220 * stride),
    });
    expect(Math.abs(corner.x - tile.x)).toBeLessThanOrEqual(0.5);
    expect(Math.abs(corner.y - tile.y)).toBeLessThanOrEqual(0.5);
  });

  it('frames what is on screen, turned as the view is', () => {
    const upright = viewCorners(view());
    expect(upright.map(({ x, y }) => [x, y])).toEqual([
      [200, -100],
      [1800, -100],
      [1800, 1100],
      [200, 1100],
    ]);
    const [topLeft] = viewCorners(view({ rotationDeg: 90 }));
    expect(topLeft?.x).toBeCloseTo(400, 6);
    expect(topLeft?.y).toBeCloseTo(1300, 6);
  });

  it('snaps so that slide pixels begin where device pixels begin', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e5, noNaN: true }),
        fc.integer({ min: 1, max: 4000 }),
        fc.constantFrom(1, 1.25, 1.5, 2),
        (wanted, sizeCssPx, devicePxPerCssPx) => {
          const centre = snappedCentre(wanted, sizeCssPx, devicePxPerCssPx);
          const firstPx = centre - (sizeCssPx * devicePxPerCssPx) / 2;
          expect(Math.abs(firstPx - Math.round(firstPx))).toBeLessThan(1e-6);
          expect(Math.abs(centre - wanted)).toBeLessThanOrEqual(0.5 + 1e-9);
        },
      ),
    );
  });
});
