import { AppError } from '../../../src-shared/errors.ts';
import { binomialHalfCdf, chiSquaredSf, midranks, normalTwoSided } from '../../../src-shared/numeric/statistics.ts';

export interface AucComparison {
  readonly aucA: number;
  readonly aucB: number;
  /** aucB - aucA. */
  readonly difference: number;
  readonly standardError: number;
  readonly z: number;
  /** Two-sided; 1 where the two sets of scores rank alike. */
  readonly pValue: number;
}

/**
 * DeLong's test of two AUCs on the same rows (one common held-out set; never on pooled folds). Placement values by
 * midranks. Sources: DeLong et al. 1988; Sun and Xu 2014.
 * @throws AppError InvalidRequest unless both classes have at least two rows.
 */
export function delong(
  truth: ArrayLike<number>,
  scoresA: ArrayLike<number>,
  scoresB: ArrayLike<number>,
): AucComparison {
  const a = placements(truth, scoresA);
  const b = placements(truth, scoresB);
  const variance =
    differenceVariance(a.positives, b.positives) / a.positives.length +
    differenceVariance(a.negatives, b.negatives) / a.negatives.length;
  const difference = b.auc - a.auc;
  const standardError = Math.sqrt(Math.max(0, variance));
  const z = standardError > 0 ? difference / standardError : 0;
  const pValue = standardError > 0 ? normalTwoSided(z) : difference === 0 ? 1 : 0;
  return { aucA: a.auc, aucB: b.auc, difference, standardError, z, pValue };
}

/** The variance of one AUC by DeLong's method. */
export function delongVariance(truth: ArrayLike<number>, scores: ArrayLike<number>): number {
  const { positives, negatives } = placements(truth, scores);
  const zero = (values: Float64Array) => new Float64Array(values.length);
  return (
    differenceVariance(positives, zero(positives)) / positives.length +
    differenceVariance(negatives, zero(negatives)) / negatives.length
  );
}

interface Placements {
  readonly auc: number;
  /** For each positive, the share of negatives it ranks above; for each negative, of positives it ranks below. */
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
}

function placements(truth: ArrayLike<number>, scores: ArrayLike<number>): Placements {
  const split = (wanted: boolean) =>
    Float64Array.from(
      Array.from({ length: truth.length }, (_, i) => i)
        .filter((i) => (truth[i] === 1) === wanted)
        .map((i) => scores[i] ?? Number.NaN),
    );
  const positive = split(true);
  const negative = split(false);
  const [m, n] = [positive.length, negative.length];
  if (m < 2 || n < 2) {
    throw new AppError('InvalidRequest', 'This test needs at least two cases of each class.', {
      detail: `${m} positive, ${n} negative`,
    });
  }
  const all = midranks(Float64Array.of(...positive, ...negative));
  const own = midranks(positive);
  const others = midranks(negative);
  const positives = own.map((rank, i) => ((all[i] ?? 0) - rank) / n);
  const negatives = others.map((rank, i) => 1 - ((all[m + i] ?? 0) - rank) / m);
  return { auc: positives.reduce((sum, x) => sum + x, 0) / m, positives, negatives };
}

/** Sample variance of b - a. */
function differenceVariance(a: Float64Array, b: Float64Array): number {
  const differences = a.map((x, i) => (b[i] ?? 0) - x);
  const average = differences.reduce((sum, x) => sum + x, 0) / differences.length;
  return differences.reduce((sum, x) => sum + (x - average) ** 2, 0) / (differences.length - 1);
}

export interface McNemarResult {
  /** Rows only A got right, and only B. */
  readonly onlyA: number;
  readonly onlyB: number;
  readonly pValue: number;
  readonly method: 'exact' | 'chi-squared';
}

/**
 * McNemar's test of two classifiers on the same rows: exact (binomial, two-sided) below 1,000 disagreements, chi squared
 * with continuity correction above. p = 1 where they never disagree. Source: McNemar 1947, Edwards 1948.
 */
export function mcnemar(correctA: readonly boolean[], correctB: readonly boolean[]): McNemarResult {
  let onlyA = 0;
  let onlyB = 0;
  correctA.forEach((a, i) => {
    if (a && correctB[i] === false) onlyA++;
    if (!a && correctB[i] === true) onlyB++;
  });
  const n = onlyA + onlyB;
  if (n < 1000) {
    const pValue = n === 0 ? 1 : Math.min(1, 2 * binomialHalfCdf(Math.min(onlyA, onlyB), n));
    return { onlyA, onlyB, pValue, method: 'exact' };
  }
  const statistic = Math.max(0, Math.abs(onlyA - onlyB) - 1) ** 2 / n;
  return { onlyA, onlyB, pValue: chiSquaredSf(statistic, 1), method: 'chi-squared' };
}

export interface RankComparison {
  /** Mean rank of each method over the tasks; 1 = always best. */
  readonly averageRanks: readonly number[];
  readonly friedman: number;
  readonly pValue: number;
  /** Mean ranks must differ by this much to differ at the 5 % level (Nemenyi); null beyond 10 methods. */
  readonly criticalDifference: number | null;
}

/** Studentised range quantiles over sqrt 2 at 5 % for 2 to 10 methods (Demsar 2006, table 5a). */
const NEMENYI_5_PERCENT = [1.96, 2.343, 2.569, 2.728, 2.85, 2.949, 3.031, 3.102, 3.164] as const;

/**
 * Methods compared by their ranks on several tasks (never by averaging raw scores), with Friedman's test and the
 * critical difference. Equal scores share their rank. Source: Demsar 2006.
 * @param scores of each task, one per method; higher is better.
 */
export function compareByRanks(scores: readonly (readonly number[])[]): RankComparison {
  const tasks = scores.length;
  const methods = scores[0]?.length ?? 0;
  const sums = new Float64Array(methods);
  for (const task of scores) {
    midranks(task.map((score) => -score)).forEach((rank, j) => {
      sums[j] = (sums[j] ?? 0) + rank;
    });
  }
  const averageRanks = Array.from(sums, (sum) => sum / tasks);
  const squares = averageRanks.reduce((sum, r) => sum + r * r, 0);
  const friedman = ((12 * tasks) / (methods * (methods + 1))) * (squares - (methods * (methods + 1) ** 2) / 4);
  const q = NEMENYI_5_PERCENT[methods - 2];
  return {
    averageRanks,
    friedman,
    pValue: chiSquaredSf(friedman, methods - 1),
    criticalDifference: q === undefined ? null : q * Math.sqrt((methods * (methods + 1)) / (6 * tasks)),
  };
}

/** Mean and standard deviation over seeds; sd 0 for what does not depend on a seed. */
export interface SeededScore {
  readonly mean: number;
  readonly sd: number;
}

/**
 * The rule of Mormont et al. 2021: a difference counts when it exceeds twice the larger standard deviation.
 * Returns 1 where B is better, -1 where A is, 0 where neither can be said.
 */
export function twiceSdRule(a: SeededScore, b: SeededScore): -1 | 0 | 1 {
  const difference = b.mean - a.mean;
  if (Math.abs(difference) <= 2 * Math.max(a.sd, b.sd)) return 0;
  return difference > 0 ? 1 : -1;
}
