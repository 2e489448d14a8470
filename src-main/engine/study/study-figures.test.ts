import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sampleSd } from '../../../src-shared/numeric/statistics.ts';
import { studyFigures } from './study-figures.ts';

interface GoldenStudy {
  readonly truth: readonly number[];
  readonly fold: readonly number[];
  readonly probabilities: readonly (readonly number[])[];
  readonly thresholds: readonly number[];
  readonly figures: Readonly<Record<string, number>>;
}
const golden = JSON.parse(readFileSync(new URL('./study-figures.golden.json', import.meta.url), 'utf8')) as {
  readonly two: GoldenStudy;
  readonly three: GoldenStudy;
};

describe('the figures of a study', () => {
  it.each(['two', 'three'] as const)('are means of the folds, as scikit-learn has them: %s classes', async (which) => {
    const { truth, fold, probabilities, thresholds, figures } = golden[which];
    const classes = ['a', 'b', 'c'].slice(0, probabilities[0]?.length);
    const cases = truth.map((label, i) => ({ id: `${i}`, label: classes[label] ?? '', group: `${i >> 1}` }));
    const predictions = probabilities.map((row, i) => ({
      ...{ caseIndex: i, fold: fold[i] ?? 0, probabilities: row, bySeed: [row, row] },
    }));
    const found = await studyFigures(cases, classes, predictions, {
      ...{ splitSeed: 1, resamples: 50 },
      positive: which === 'two' ? 1 : null,
      thresholds: which === 'two' ? thresholds.map((ofMean) => ({ ofMean, bySeed: [ofMean, ofMean] })) : [],
    });
    for (const [name, value] of Object.entries(figures)) {
      const figure = found.find((each) => each.name === name);
      expect(Math.abs((figure?.value ?? Number.NaN) - value), name).toBeLessThan(1e-9);
      expect(figure?.seedSd, name).toBeCloseTo(0, 12);
    }
    expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(figures)));
  });

  it('vary with the seeds by the deviation of what each seed has alone', async () => {
    const { truth, fold, probabilities } = golden.two;
    const cases = truth.map((label, i) => ({ id: `${i}`, label: label === 1 ? 'b' : 'a', group: `${i >> 1}` }));
    const seeds = [0, 7, 19].map((shift) => probabilities.map((_, i) => probabilities[(i + shift) % 72] ?? []));
    const figures = async (rows: readonly (readonly (readonly number[])[])[], thresholds: readonly number[]) =>
      await studyFigures(
        cases,
        ['a', 'b'],
        probabilities.map((row, i) => {
          return { caseIndex: i, fold: fold[i] ?? 0, probabilities: row, bySeed: rows.map((seed) => seed[i] ?? []) };
        }),
        {
          ...{ splitSeed: 1, resamples: 2, positive: 1 },
          thresholds: [0, 1, 2].map(() => ({ ofMean: 0.5, bySeed: thresholds })),
        },
      );
    const together = await figures(seeds, [0.3, 0.5, 0.7]);
    for (const [f, { name, seedSd }] of together.entries()) {
      const alone: number[] = [];
      for (const [s, threshold] of [0.3, 0.5, 0.7].entries()) {
        const rows = seeds[s] ?? [];
        const own = await studyFigures(
          cases,
          ['a', 'b'],
          rows.map((row, i) => ({ caseIndex: i, fold: fold[i] ?? 0, probabilities: row, bySeed: [row] })),
          {
            ...{ splitSeed: 1, resamples: 2, positive: 1 },
            thresholds: [0, 1, 2].map(() => ({ ofMean: threshold, bySeed: [threshold] })),
          },
        );
        alone.push((own[f]?.byFold ?? []).reduce((sum, value) => sum + value / 3, 0));
      }
      expect(seedSd, name).toBeCloseTo(sampleSd(alone), 12);
      expect(seedSd, name).toBeGreaterThan(0);
    }
  });
});
