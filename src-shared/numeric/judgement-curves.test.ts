import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { meanCurve, precisionRecallCurve, reliabilityPoints, rocCurve, type ScoredRow } from './judgement-curves.ts';

const rows = fc
  .array(fc.record({ truth: fc.constantFrom(0 as const, 1 as const), score: fc.integer({ min: 0, max: 9 }) }), {
    minLength: 2,
    maxLength: 40,
  })
  .map((list): ScoredRow[] => list.map(({ truth, score }) => ({ truth, score: score / 10 })))
  .filter((list) => list.some(({ truth }) => truth === 1) && list.some(({ truth }) => truth === 0));

describe('curves of judgements', () => {
  it('hold the area that the ranks give, ties counted half', () => {
    fc.assert(
      fc.property(rows, (list) => {
        const curve = rocCurve(list);
        let area = 0;
        curve.forEach((point, i) => {
          const before = curve[i - 1];
          if (before !== undefined) area += ((point.x - before.x) * (point.y + before.y)) / 2;
        });
        const pairs = list.flatMap((a) =>
          list.flatMap((b) => (a.truth === 1 && b.truth === 0 ? [Math.sign(a.score - b.score) / 2 + 0.5] : [])),
        );
        expect(area).toBeCloseTo(pairs.reduce((sum, win) => sum + win, 0) / pairs.length, 9);
        expect(curve.at(-1)).toEqual({ x: 1, y: 1 });
      }),
    );
  });

  it('end at full recall with the share of positives as precision', () => {
    fc.assert(
      fc.property(rows, (list) => {
        const end = precisionRecallCurve(list).at(-1);
        expect(end?.x).toBe(1);
        expect(end?.y).toBeCloseTo(list.filter(({ truth }) => truth === 1).length / list.length, 12);
      }),
    );
    expect(rocCurve([{ truth: 1, score: 0.5 }])).toEqual([]);
  });

  it('average by height; a curve that does not exist is left out', () => {
    const perfect = [
      { x: 0, y: 0 },
      { x: 0, y: 1 },
      { x: 1, y: 1 },
    ];
    const chance = [
      { x: 0, y: 0 },
      { x: 1, y: 1 },
    ];
    expect(meanCurve([perfect, [], chance], 2).map(({ y }) => y)).toEqual([0.5, 0.75, 1]);
  });

  it('group slides of like probability so that all are counted once', () => {
    fc.assert(
      fc.property(rows, (list) => {
        const points = reliabilityPoints(list);
        expect(points.reduce((sum, { count }) => sum + count, 0)).toBe(list.length);
        expect([...points].sort((a, b) => a.x - b.x)).toEqual(points);
      }),
    );
  });
});
