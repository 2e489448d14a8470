import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addStroke,
  type MaskStroke,
  NO_MASK_EDITS,
  parseStrokes,
  redoStroke,
  thinStroke,
  undoStroke,
} from './mask-edits.ts';

const strokes = fc.record<MaskStroke>({
  kind: fc.constantFrom('add', 'remove'),
  radiusLevel0Px: fc.double({ min: 1, max: 900, noNaN: true }),
  points: fc.array(fc.tuple(fc.integer({ min: 0, max: 90_000 }), fc.integer({ min: 0, max: 90_000 })), {
    minLength: 1,
    maxLength: 30,
  }),
});

describe('mask edits', () => {
  it('undo takes back exactly what was painted last, redo paints it again', () => {
    fc.assert(
      fc.property(fc.array(strokes, { minLength: 1, maxLength: 8 }), (list) => {
        let edits = NO_MASK_EDITS;
        for (const stroke of list) edits = addStroke(edits, stroke);
        const painted = edits.strokes;
        for (let step = list.length - 1; step >= 0; step--) {
          edits = undoStroke(edits);
          expect(edits.strokes).toEqual(painted.slice(0, step));
        }
        expect(undoStroke(edits)).toEqual(edits);
        for (const _ of list) edits = redoStroke(edits);
        expect(edits).toEqual({ strokes: painted, undone: [] });
        expect(redoStroke(edits)).toEqual(edits);
      }),
    );
  });

  it('forgets what was undone once something new is painted', () => {
    const dot: MaskStroke = { kind: 'add', radiusLevel0Px: 10, points: [[1, 2]] };
    const other: MaskStroke = { ...dot, kind: 'remove' };
    const edits = addStroke(undoStroke(addStroke(NO_MASK_EDITS, dot)), other);
    expect(edits).toEqual({ strokes: [other], undone: [] });
    expect(addStroke(edits, { ...dot, points: [] })).toBe(edits);
  });

  it('thins a stroke without moving its ends or opening gaps wider than the brush', () => {
    fc.assert(
      fc.property(strokes, (stroke) => {
        const thin = thinStroke(stroke);
        expect(thin.points[0]).toEqual(stroke.points[0]);
        expect(thin.points.at(-1)).toEqual(stroke.points.at(-1));
        for (const [x, y] of stroke.points) {
          const nearest = Math.min(...thin.points.map(([px, py]) => Math.hypot(px - x, py - y)));
          expect(nearest).toBeLessThanOrEqual(stroke.radiusLevel0Px / 4 + 1);
        }
      }),
    );
  });

  it('reads its own JSON and refuses everything else', () => {
    fc.assert(
      fc.property(fc.array(strokes, { maxLength: 4 }), (list) => {
        expect(parseStrokes(JSON.parse(JSON.stringify(list)))).toEqual(list);
      }),
    );
    const good = { kind: 'add', radiusLevel0Px: 3, points: [[1, 2]] };
    const bad = [
      null,
      {},
      [null],
      [{ ...good, kind: 'x' }],
      [{ ...good, radiusLevel0Px: -1 }],
      [{ ...good, points: [[1]] }],
    ];
    for (const value of bad) expect(parseStrokes(value)).toBeNull();
    expect(parseStrokes([{ ...good, points: Array.from({ length: 20_001 }, () => [0, 0]) }])).toBeNull();
  });
});
