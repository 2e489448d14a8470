import type { PairVerdict } from '../../../src-shared/model/comparison.ts';
import { holm, normalTwoSided } from '../../../src-shared/numeric/statistics.ts';
import type { BootstrapInterval, BootstrapOptions } from '../study/bootstrap.ts';
import { type Contender, claimSentence, pairedDifference } from '../study/claims.ts';
import { delong, mcnemar, twiceSdRule } from '../study/significance.ts';
import { effectSizeOf } from './effect-size.ts';
import type { PatchTask } from './patch-task.ts';
import { predictedFrom } from './probe-part.ts';
import { metricOf, resampledScore, type TaskScore } from './score-task.ts';
import { taskLabels } from './task-parts.ts';

/** A backbone with what it reaches on a task. */
export interface Scored {
  readonly contender: Contender;
  readonly score: TaskScore;
}

type Test = Pick<PairVerdict, 'test' | 'pValue' | 'effect' | 'effectName'>;

/** A comparison before the correction for all the others made. */
export interface UncorrectedPair {
  readonly a: Scored;
  readonly b: Scored;
  readonly task: PatchTask;
  readonly difference: BootstrapInterval;
  readonly test: Test;
}

/**
 * Every two backbones on one task: paired bootstrap over groups, and a test: DeLong on one common held-out set of
 * independent images with two classes, McNemar for more classes, the bootstrap's own z where images share a group
 * (both tests would take them as independent) or folds may not be pooled (AUC).
 */
export function comparePairs(
  task: PatchTask,
  scored: readonly Scored[],
  tested: readonly number[],
  options: BootstrapOptions,
): readonly UncorrectedPair[] {
  const groups = tested.map((image) => task.images[image]?.group ?? '');
  return scored.flatMap((a, i) =>
    scored.slice(i + 1).map((b) => {
      const figure = (of: Scored) => resampledScore(task, of.score, tested);
      const difference = pairedDifference(tested.length, groups, figure(a), figure(b), options);
      return { a, b, task, difference, test: testOf(task, a.score, b.score, difference) };
    }),
  );
}

/** The verdicts of all pairs of all tasks, their p values corrected together (Holm). In the order given. */
export function correctPairs(pairs: readonly UncorrectedPair[]): readonly PairVerdict[] {
  const corrected = holm(pairs.map(({ test }) => test.pValue));
  return pairs.map(({ a, b, task, difference, test }, i) => {
    const correctedP = corrected[i] ?? 1;
    const seeded = a.score.bySeed.length > 1;
    const sd = ({ score }: Scored) => ({ mean: score.score, sd: score.seedSd });
    return {
      a: a.contender.name,
      b: b.contender.name,
      difference: difference.estimate,
      low: difference.low,
      high: difference.high,
      ...test,
      ...effectSizeOf(metricOf(task), a.score.score, b.score.score),
      correctedP,
      twiceSd: seeded ? twiceSdRule(sd(a), sd(b)) : null,
      sentence: claimSentence({
        a: a.contender,
        b: b.contender,
        figure: metricOf(task),
        difference,
        correctedP,
      }),
    };
  });
}

function testOf(task: PatchTask, a: TaskScore, b: TaskScore, difference: BootstrapInterval): Test {
  const binary = task.classes.length === 2;
  if (!task.grouped && task.heldOut && binary) {
    const [partA, partB] = [a.parts[0], b.parts[0]];
    const labels = taskLabels(task);
    const truth = Uint32Array.from(partA?.part.test ?? [], (image) => labels[image] ?? 0);
    const { z, pValue } = delong(truth, partA?.decisions ?? [], partB?.decisions ?? []);
    return { test: 'DeLong', pValue, effect: z, effectName: 'z' };
  }
  if (!task.grouped && !binary) {
    const { onlyA, onlyB, pValue } = mcnemar(correctOf(task, a), correctOf(task, b));
    return { test: 'McNemar', pValue, effect: (onlyB + 0.5) / (onlyA + 0.5), effectName: 'odds of disagreements' };
  }
  const { estimate, standardError } = difference;
  const z = standardError > 0 ? estimate / standardError : 0;
  const pValue = standardError > 0 ? normalTwoSided(z) : estimate === 0 ? 1 : 0;
  return { test: 'paired bootstrap', pValue, effect: z, effectName: 'z' };
}

/** Whether each tested image is right, each tested once: in the parts of the first seed. */
function correctOf(task: PatchTask, { parts }: TaskScore): boolean[] {
  const labels = taskLabels(task);
  const first = parts[0]?.part.seed;
  return parts
    .filter(({ part }) => part.seed === first)
    .flatMap(({ part, decisions }) => {
      const predicted = predictedFrom(decisions, task.classes.length);
      return part.test.map((image, row) => predicted[row] === labels[image]);
    });
}
