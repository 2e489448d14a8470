import { describe, expect, it } from 'vitest';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import { compareByRanks } from '../study/significance.ts';
import { rankCliques, ranksSvg } from './ranks-svg.ts';
import { shiftsSvg } from './robustness-svg.ts';

describe('figures of a comparison', () => {
  it('joins what a test of ranks cannot tell apart, and nothing twice', () => {
    // Demsar 2006, figure 1a: average ranks of four classifiers over 14 sets, critical difference 1.25.
    expect(rankCliques([1.964, 2.0, 2.893, 3.143], 1.25)).toEqual([[0, 3]]);
    expect(rankCliques([1, 2, 3, 4], 1.5)).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
    expect(rankCliques([1, 3, 5], 1)).toEqual([]);
  });

  it('draws the critical difference from five tasks up, none below', () => {
    const scores = Array.from({ length: 5 }, (_, t) => [0.9, 0.8 + 0.001 * t, 0.7]);
    const { averageRanks, pValue, criticalDifference } = compareByRanks(scores);
    const names = ['best <of all>', 'middle', 'last'];
    const comparison = {
      ranks: { average: averageRanks, friedmanP: pValue, criticalDifference },
      backbones: names.map((name) => ({ name })),
      tasks: scores,
    } as unknown as Comparison;
    const svg = ranksSvg(comparison) ?? '';
    expect(svg).toContain('best &lt;of all&gt; 1.00');
    expect(svg).toContain('critical difference 1.48');
    expect(svg.match(/stroke="#0072b2"/g)).toHaveLength(2);
    expect(
      ranksSvg({ ...comparison, ranks: { ...comparison.ranks, criticalDifference: null } } as Comparison),
    ).toBeNull();
  });

  it('draws shifts in the order of their strength, with its notes', () => {
    const shifts = [
      { shift: 'JPEG', level: 75, value: 0.9 },
      { shift: 'JPEG', level: 15, value: null },
    ];
    const svg = shiftsSvg({
      ...{ title: 'Curve', lowest: 0.5, notes: ['KG = a formula, 5 folds'] },
      curves: [{ name: 'net', unchanged: 0.95, shifts }],
    });
    expect(svg).toContain('KG = a formula, 5 folds');
    expect(svg.indexOf('>75<')).toBeLessThan(svg.indexOf('>15<'));
    expect(svg.indexOf('>0.8<')).toBeLessThan(svg.indexOf('>1.25<'));
    expect(svg).toContain('net, JPEG 75: 90.0');
    expect(svg).not.toContain('NaN');
  });
});
