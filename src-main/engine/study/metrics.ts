import { midranks } from '../../../src-shared/numeric/statistics.ts';

/**
 * Scores of predictions, one row per slide (or patch), never per tile repeated. Labels are class numbers from 0. Every
 * function agrees with scikit-learn's of the same name; NaN where the figure does not exist (one class only, no rows).
 */

/** confusion[t * classes + p]: rows of true class t predicted as p. */
export function confusion(truth: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): Float64Array {
  const counts = new Float64Array(classes * classes);
  for (let i = 0; i < truth.length; i++) {
    const at = (truth[i] ?? 0) * classes + (predicted[i] ?? 0);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

export function accuracy(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  let right = 0;
  for (let i = 0; i < truth.length; i++) if (truth[i] === predicted[i]) right++;
  return right / truth.length;
}

/** Mean recall over the classes that occur in the truth. */
export function balancedAccuracy(truth: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): number {
  const recalls = perClass(truth, predicted, classes)
    .filter(({ support }) => support > 0)
    .map(({ hits, support }) => hits / support);
  return recalls.reduce((sum, r) => sum + r, 0) / recalls.length;
}

/** F1 of one class; 0 where it is neither present nor predicted. */
export function f1(truth: ArrayLike<number>, predicted: ArrayLike<number>, positive = 1): number {
  let hits = 0;
  let wrong = 0;
  for (let i = 0; i < truth.length; i++) {
    const isPositive = truth[i] === positive;
    const saysPositive = predicted[i] === positive;
    if (isPositive && saysPositive) hits++;
    else if (isPositive !== saysPositive) wrong++;
  }
  return hits === 0 ? 0 : (2 * hits) / (2 * hits + wrong);
}

/** Mean F1 over the classes that occur in truth or prediction. */
export function macroF1(truth: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): number {
  const present = perClass(truth, predicted, classes).flatMap(({ support, called }, c) =>
    support + called > 0 ? [c] : [],
  );
  return present.reduce((sum, c) => sum + f1(truth, predicted, c), 0) / present.length;
}

/** Cohen's kappa, unweighted. */
export function cohenKappa(truth: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): number {
  const n = truth.length;
  const expected = perClass(truth, predicted, classes).reduce((sum, c) => sum + (c.support * c.called) / (n * n), 0);
  return (accuracy(truth, predicted) - expected) / (1 - expected);
}

interface ClassCounts {
  readonly hits: number;
  readonly support: number;
  readonly called: number;
}

function perClass(truth: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): readonly ClassCounts[] {
  const counts = confusion(truth, predicted, classes);
  return Array.from({ length: classes }, (_, c) => {
    let support = 0;
    let called = 0;
    for (let o = 0; o < classes; o++) {
      support += counts[c * classes + o] ?? 0;
      called += counts[o * classes + c] ?? 0;
    }
    return { hits: counts[c * classes + c] ?? 0, support, called };
  });
}

/** Area under the ROC curve (Mann and Whitney, ties count half); truth 1 = positive. */
export function rocAuc(truth: ArrayLike<number>, scores: ArrayLike<number>): number {
  const ranks = midranks(scores);
  let positives = 0;
  let rankSum = 0;
  for (let i = 0; i < truth.length; i++) {
    if (truth[i] !== 1) continue;
    positives++;
    rankSum += ranks[i] ?? 0;
  }
  const negatives = truth.length - positives;
  if (positives === 0 || negatives === 0) return Number.NaN;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** Mean one-vs-rest AUC; `scores` is rows x classes, row-major. NaN unless every class occurs. */
export function macroAuc(truth: ArrayLike<number>, scores: ArrayLike<number>, classes: number): number {
  let sum = 0;
  for (let c = 0; c < classes; c++) {
    const isClass = Float64Array.from({ length: truth.length }, (_, i) => (truth[i] === c ? 1 : 0));
    const column = Float64Array.from({ length: truth.length }, (_, i) => scores[i * classes + c] ?? Number.NaN);
    sum += rocAuc(isClass, column);
  }
  return sum / classes;
}

/** Average precision: precision weighted by each step of recall, no interpolation; equal scores are one step. */
export function averagePrecision(truth: ArrayLike<number>, scores: ArrayLike<number>): number {
  const order = Array.from({ length: truth.length }, (_, i) => i).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const total = order.filter((i) => truth[i] === 1).length;
  if (total === 0) return Number.NaN;
  let hits = 0;
  let area = 0;
  for (let start = 0; start < order.length; ) {
    let end = start;
    let found = 0;
    while (end < order.length && scores[order[end] ?? 0] === scores[order[start] ?? 0]) {
      if (truth[order[end] ?? 0] === 1) found++;
      end++;
    }
    hits += found;
    area += (found / total) * (hits / end);
    start = end;
  }
  return area;
}

export interface OperatingPoint {
  readonly threshold: number;
  readonly sensitivity: number;
  readonly specificity: number;
}

/** Sensitivity and specificity where a score of at least `threshold` is called positive. */
export function operatingPoint(truth: ArrayLike<number>, scores: ArrayLike<number>, threshold: number): OperatingPoint {
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < truth.length; i++) {
    const at = 2 * (truth[i] === 1 ? 1 : 0) + ((scores[i] ?? Number.NaN) >= threshold ? 1 : 0);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  const [trueNegative = 0, falsePositive = 0, falseNegative = 0, truePositive = 0] = counts;
  return {
    threshold,
    sensitivity: truePositive / (truePositive + falseNegative),
    specificity: trueNegative / (trueNegative + falsePositive),
  };
}

/** Mean squared distance of the probability of class 1 from the truth. */
export function brierScore(truth: ArrayLike<number>, probabilities: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < truth.length; i++) sum += ((probabilities[i] ?? 0) - (truth[i] === 1 ? 1 : 0)) ** 2;
  return sum / truth.length;
}

export interface ReliabilityBin {
  readonly count: number;
  readonly meanProbability: number;
  readonly positiveShare: number;
}

/**
 * Equal-width bins of the probability of class 1, empty ones left out: the points of a reliability plot. A probability on
 * an edge belongs to the bin below (Guo et al., 2017, section 2; scikit-learn's `calibration_curve`).
 */
export function reliability(
  truth: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  bins: number,
): readonly ReliabilityBin[] {
  const sums = Array.from({ length: bins }, () => ({ count: 0, probability: 0, positives: 0 }));
  // As scikit-learn computes them, so that both round alike.
  const edges = Array.from({ length: bins - 1 }, (_, i) => (i + 1) * (1 / bins));
  for (let i = 0; i < truth.length; i++) {
    const p = probabilities[i] ?? 0;
    const bin = sums[edges.filter((edge) => edge < p).length];
    if (bin === undefined) continue;
    bin.count++;
    bin.probability += p;
    if (truth[i] === 1) bin.positives++;
  }
  return sums
    .filter(({ count }) => count > 0)
    .map(({ count, probability, positives }) => ({
      count,
      meanProbability: probability / count,
      positiveShare: positives / count,
    }));
}

/** Expected calibration error (Naeini 2015): gap between probability and frequency, weighted by rows, over equal bins. */
export function expectedCalibrationError(
  truth: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  bins = 10,
): number {
  const gaps = reliability(truth, probabilities, bins).map(
    ({ count, meanProbability, positiveShare }) => count * Math.abs(meanProbability - positiveShare),
  );
  return gaps.reduce((sum, gap) => sum + gap, 0) / truth.length;
}
