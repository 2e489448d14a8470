import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { reliabilityPoints } from '../../../src-shared/numeric/judgement-curves.ts';
import {
  binomialHalfCdf,
  chiSquaredSf,
  holm,
  logGamma,
  mean,
  midranks,
  normalQuantile,
  normalTwoSided,
  sampleSd,
  spearman,
} from '../../../src-shared/numeric/statistics.ts';
import { bootstrapInterval, taken } from './bootstrap.ts';
import {
  accuracy,
  averagePrecision,
  balancedAccuracy,
  brierScore,
  cohenKappa,
  expectedCalibrationError,
  f1,
  macroAuc,
  macroF1,
  operatingPoint,
  reliability,
  rocAuc,
} from './metrics.ts';
import { compareByRanks, delong, delongVariance, mcnemar, type SeededScore, twiceSdRule } from './significance.ts';

interface Binary extends Readonly<Record<string, unknown>> {
  readonly truth: number[];
  readonly a: number[];
  readonly b: number[];
  readonly probability: number[];
  readonly predicted: number[];
  readonly predictedB: number[];
  readonly delong: { readonly z: number; readonly p: number; readonly varianceA: number };
}

interface Golden {
  readonly binary: Binary;
  readonly multi: Readonly<Record<string, number>> & {
    readonly truth: number[] & number;
    readonly predicted: number[] & number;
    readonly scores: number[] & number;
  };
  readonly reliability: {
    readonly coarse: number[];
    readonly tenths: number[][];
    readonly ece: number;
    readonly sevenths: number[][];
    readonly distinct: number[];
    readonly distinctTruth: number[];
    readonly groups: number[][];
  };
  readonly ranks: { readonly scores: number[][]; readonly averageRanks: number[] };
  readonly friedman: { readonly scores: number[][]; readonly statistic: number; readonly p: number };
  readonly distributions: {
    readonly z: number[];
    readonly normalTwoSided: number[];
    readonly chi: [number, number, number][];
    readonly binomial: [number, number, number][];
    readonly spearman: number;
  };
}

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));
const golden = read('./study.golden.json') as Golden;
const { binary, multi } = golden;
const NINE_DIGITS = 9;

describe('metrics agree with scikit-learn', () => {
  it.each([
    ['auc', rocAuc(binary.truth, binary.a)],
    ['aucB', rocAuc(binary.truth, binary.b)],
    ['averagePrecision', averagePrecision(binary.truth, binary.a)],
    ['brier', brierScore(binary.truth, binary.probability)],
    ['ece', expectedCalibrationError(binary.truth, binary.probability)],
    ['accuracy', accuracy(binary.truth, binary.predicted)],
    ['balanced', balancedAccuracy(binary.truth, binary.predicted, 2)],
    ['f1', f1(binary.truth, binary.predicted)],
    ['kappa', cohenKappa(binary.truth, binary.predicted, 2)],
    ['sensitivity', operatingPoint(binary.truth, binary.a, 0.5).sensitivity],
    ['specificity', operatingPoint(binary.truth, binary.a, 0.5).specificity],
  ])('%s', (name, value) => {
    expect(value).toBeCloseTo(binary[name] as number, NINE_DIGITS);
  });

  it.each([
    ['accuracy', accuracy(multi.truth, multi.predicted)],
    ['balanced', balancedAccuracy(multi.truth, multi.predicted, 4)],
    ['macroF1', macroF1(multi.truth, multi.predicted, 4)],
    ['kappa', cohenKappa(multi.truth, multi.predicted, 4)],
    ['macroAuc', macroAuc(multi.truth, multi.scores, 4)],
  ])('%s of four classes', (name, value) => {
    expect(value).toBeCloseTo(multi[name] ?? Number.NaN, NINE_DIGITS);
  });

  it('says NaN, not a number, where a figure does not exist', () => {
    expect(rocAuc([1, 1], [0.2, 0.3])).toBeNaN();
    expect(averagePrecision([0, 0], [0.2, 0.3])).toBeNaN();
    expect(macroAuc([0, 1], [1, 0, 0, 0, 1, 0], 3)).toBeNaN();
    expect(f1([0, 0], [0, 0])).toBe(0);
  });

  it('all ties give an AUC of one half', () => {
    expect(rocAuc([0, 1, 1, 0], [3, 3, 3, 3])).toBe(0.5);
  });

  it('reliability, its error, and groups of equal size', () => {
    const { coarse, tenths, ece, sevenths, distinct, distinctTruth, groups } = golden.reliability;
    const same = (points: readonly (readonly number[])[], expected: readonly (readonly number[])[]): void => {
      expect(points).toHaveLength(expected.length);
      points.flat().forEach((value, i) => {
        expect(value).toBeCloseTo(expected.flat()[i] ?? Number.NaN, NINE_DIGITS);
      });
    };
    const bins = (probabilities: readonly number[], count: number) =>
      reliability(binary.truth, probabilities, count).map((bin) => [bin.meanProbability, bin.positiveShare]);
    same(bins(coarse, 10), tenths);
    same(bins(binary.probability, 7), sevenths);
    expect(expectedCalibrationError(binary.truth, coarse)).toBeCloseTo(ece, NINE_DIGITS);
    const rows = distinct.map((score, i) => ({ score, truth: distinctTruth[i] === 1 ? (1 as const) : (0 as const) }));
    const drawn = reliabilityPoints(rows).map(({ x, y }) => [x, y]);
    same(drawn, groups);
  });

  it('reliability bins hold every row, a probability of 1 in the last', () => {
    const bins = reliability([1, 0, 1], [1, 0, 0.95], 10);
    expect(bins.map(({ count }) => count)).toEqual([1, 2]);
    expect(bins[1]).toMatchObject({ positiveShare: 1, meanProbability: 0.975 });
  });
});

describe('distributions agree with scipy', () => {
  it('normal, chi squared, binomial', () => {
    golden.distributions.z.forEach((z, i) => {
      const expected = golden.distributions.normalTwoSided[i] ?? Number.NaN;
      expect(Math.abs(normalTwoSided(z) - expected)).toBeLessThanOrEqual(1e-10 * expected);
    });
    for (const [x, df, expected] of golden.distributions.chi) {
      expect(Math.abs(chiSquaredSf(x, df) - expected)).toBeLessThanOrEqual(1e-10 * expected);
    }
    for (const [k, n, expected] of golden.distributions.binomial) {
      expect(Math.abs(binomialHalfCdf(k, n) - expected)).toBeLessThanOrEqual(1e-10 * expected);
    }
    expect(logGamma(0.25)).toBeCloseTo(1.2880225246980774, 12);
  });

  it('normal quantiles', () => {
    // scipy.stats.norm.ppf
    const known = [
      [1e-6, -4.753424308822899],
      [0.02, -2.053748910631823],
      [0.3, -0.5244005127080409],
      [0.5, 0],
      [0.9, 1.2815515655446004],
      [0.999, 3.090232306167813],
    ] as const;
    for (const [p, z] of known) expect(normalQuantile(p)).toBeCloseTo(z, 9);
    expect([normalQuantile(0), normalQuantile(1), normalQuantile(2)]).toEqual([-Infinity, Infinity, Number.NaN]);
  });

  it('ranks and moments', () => {
    expect([...midranks([3, 1, 3, 2])]).toEqual([3.5, 1, 3.5, 2]);
    expect(spearman(binary.a, binary.b)).toBeCloseTo(golden.distributions.spearman, 12);
    expect([mean([1, 2, 6]), sampleSd([1, 2, 6])]).toEqual([3, Math.sqrt(7)]);
  });
});

describe('tests of significance', () => {
  it('DeLong agrees with its definition by placements', () => {
    const result = delong(binary.truth, binary.a, binary.b);
    expect(result.z).toBeCloseTo(binary.delong.z, NINE_DIGITS);
    expect(result.pValue).toBeCloseTo(binary.delong.p, NINE_DIGITS);
    expect(delongVariance(binary.truth, binary.a)).toBeCloseTo(binary.delong.varianceA, 12);
    expect(result.aucA).toBeCloseTo(rocAuc(binary.truth, binary.a), 12);
    expect(delong(binary.truth, binary.a, binary.a)).toMatchObject({ difference: 0, pValue: 1 });
    expect(() => delong([1, 0, 0], [1, 2, 3], [1, 2, 3])).toThrow('at least two cases of each class');
  });

  it('McNemar: exact below 1,000 disagreements, chi squared above', () => {
    const right = (predicted: readonly number[]) => predicted.map((p, i) => p === binary.truth[i]);
    const result = mcnemar(right(binary.predicted), right(binary.predictedB));
    expect(result.pValue).toBeCloseTo(binary.mcnemar as number, NINE_DIGITS);
    expect(mcnemar([true, false], [true, false])).toMatchObject({ pValue: 1, onlyA: 0, onlyB: 0 });
    const many = Array.from({ length: 2000 }, (_, i) => i < 1060);
    const large = mcnemar(
      many,
      many.map((right) => !right),
    );
    expect(large).toMatchObject({ onlyA: 1060, onlyB: 940, method: 'chi-squared' });
    expect(large.pValue).toBeCloseTo(chiSquaredSf(119 ** 2 / 2000, 1), 12);
  });

  it('Holm steps down, keeps the order and never exceeds 1', () => {
    const corrected = holm([0.01, 0.04, 0.03, 0.005]);
    [0.03, 0.06, 0.06, 0.02].forEach((p, i) => {
      expect(corrected[i]).toBeCloseTo(p, 12);
    });
    expect(holm([0.9, 0.8])).toEqual([1, 1]);
    expect(holm([])).toEqual([]);
  });

  it('ranks: ties shared, Friedman as scipy, critical difference as in Demsar 2006', () => {
    const { averageRanks } = compareByRanks(golden.ranks.scores);
    averageRanks.forEach((rank, j) => {
      expect(rank).toBeCloseTo(golden.ranks.averageRanks[j] ?? Number.NaN, 12);
    });
    const untied = compareByRanks(golden.friedman.scores);
    expect(untied.friedman).toBeCloseTo(golden.friedman.statistic, NINE_DIGITS);
    expect(untied.pValue).toBeCloseTo(golden.friedman.p, NINE_DIGITS);
    const demsar = compareByRanks(Array.from({ length: 14 }, () => [0.1, 0.2, 0.3, 0.4]));
    expect(demsar.criticalDifference).toBeCloseTo(1.25, 2);
  });

  it('the 2 x max(sd) rule counts what the multi-task paper counts', () => {
    type Row = Readonly<Record<'feImageNet' | 'feMultiTask' | 'ftImageNet' | 'ftMultiTask', readonly [number, number]>>;
    const { scores } = read('./mormont-2021.golden.json') as { scores: Record<string, Record<string, Row>> };
    const rows = Object.values(scores).flatMap((table) => Object.values(table));
    const score = ([m, sd]: readonly [number, number]): SeededScore => ({ mean: m, sd });
    const verdicts = (a: keyof Row, b: keyof Row) => rows.map((row) => twiceSdRule(score(row[a]), score(row[b])));
    const ahead = (a: keyof Row, b: keyof Row) => rows.filter((row) => row[b][0] > row[a][0]).length;
    const count = (values: readonly number[], wanted: number) => values.filter((v) => v === wanted).length;
    expect(rows).toHaveLength(20);
    expect(ahead('feImageNet', 'feMultiTask')).toBe(15);
    expect(count(verdicts('feImageNet', 'feMultiTask'), 1)).toBe(11);
    expect(count(verdicts('feImageNet', 'feMultiTask'), -1)).toBe(2);
    expect(ahead('ftImageNet', 'ftMultiTask')).toBe(11);
    expect(verdicts('ftImageNet', 'ftMultiTask').every((v) => v === 0)).toBe(true);
  });
});

describe('bootstrapInterval', () => {
  const auc = (rows: Uint32Array) => rocAuc(taken(binary.truth, rows), taken(binary.a, rows));

  it('comes close to DeLong’s error and holds the estimate', () => {
    const interval = bootstrapInterval(binary.truth.length, null, auc, { seed: 1 });
    expect(interval.estimate).toBeCloseTo(binary.auc as number, 12);
    expect(interval.low).toBeLessThan(interval.estimate);
    expect(interval.high).toBeGreaterThan(interval.estimate);
    const ratio = interval.standardError / Math.sqrt(binary.delong.varianceA);
    expect(Math.abs(ratio - 1)).toBeLessThan(0.06);
    expect(interval.rowsAsGroups).toBe(true);
    expect(bootstrapInterval(binary.truth.length, null, auc, { seed: 1 })).toEqual(interval);
  });

  it('keeps the rows of a patient together: copies of a row add nothing', () => {
    const n = binary.truth.length;
    const copied = (rows: Uint32Array) => auc(rows.map((row) => row % n));
    const groups = Array.from({ length: 3 * n }, (_, i) => `patient ${i % n}`);
    const once = bootstrapInterval(n, null, auc, { seed: 2 });
    const grouped = bootstrapInterval(3 * n, groups, copied, { seed: 2 });
    const naive = bootstrapInterval(3 * n, null, copied, { seed: 2 });
    expect(grouped.standardError).toBeCloseTo(once.standardError, 9);
    expect(grouped).toMatchObject({ groups: n, rowsAsGroups: false });
    expect(naive.standardError).toBeLessThan(0.7 * once.standardError);
  });

  it('leaves out resamples the figure does not exist in, and says how many', () => {
    const interval = bootstrapInterval(
      4,
      null,
      (rows) => rocAuc(taken([1, 0, 0, 0], rows), taken([4, 1, 2, 3], rows)),
      {
        seed: 3,
      },
    );
    expect(interval.undefinedResamples).toBeGreaterThan(400);
    expect(interval.low).toBe(1);
    expect(() => bootstrapInterval(0, null, auc, { seed: 1 })).toThrow('nothing to compute');
  });
});
