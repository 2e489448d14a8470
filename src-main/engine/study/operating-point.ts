import type { OperatingRule } from '../../../src-shared/model/study.ts';

/**
 * The threshold on a score that a rule chooses, on slides the heads were selected on: never on those they are judged
 * by. A score of at least the threshold is called positive.
 *
 * - `youden`: the largest sum of sensitivity and specificity (Youden 1950); of several, the middle one.
 * - `sensitivity`: the highest threshold that reaches the wanted sensitivity.
 *
 * Thresholds lie half-way between neighbouring scores, so that they do not hang on the last digit of one slide.
 * @param truth 1 = positive.
 * @returns 0.5 where one of the two classes is missing: there is nothing to choose by.
 */
export function chooseThreshold(truth: readonly number[], scores: readonly number[], rule: OperatingRule): number {
  const positives = truth.filter((label) => label === 1).length;
  const negatives = truth.length - positives;
  if (positives === 0 || negatives === 0) return 0.5;
  const candidates = candidatesOf(scores).map((threshold) => {
    let [hits, rejections] = [0, 0];
    truth.forEach((label, i) => {
      const called = (scores[i] ?? 0) >= threshold;
      if (label === 1 && called) hits++;
      if (label !== 1 && !called) rejections++;
    });
    return { threshold, sensitivity: hits / positives, specificity: rejections / negatives };
  });
  if (rule.kind === 'sensitivity') {
    const reaching = candidates.filter(({ sensitivity }) => sensitivity >= rule.atLeast);
    return reaching.at(-1)?.threshold ?? 0;
  }
  const best = Math.max(...candidates.map(({ sensitivity, specificity }) => sensitivity + specificity));
  const winners = candidates.filter(({ sensitivity, specificity }) => sensitivity + specificity >= best - 1e-12);
  return winners[Math.floor((winners.length - 1) / 2)]?.threshold ?? 0.5;
}

/** Ascending: below every score, and half-way between neighbours. */
function candidatesOf(scores: readonly number[]): readonly number[] {
  const sorted = [...new Set(scores)].sort((a, b) => a - b);
  return sorted.map((score, i) => (i === 0 ? 0 : (score + (sorted[i - 1] ?? 0)) / 2));
}
