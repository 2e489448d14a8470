import { mean, sampleSd } from '../../../src-shared/numeric/statistics.ts';
import { type BootstrapInterval, type BootstrapOptions, bootstrapInterval } from '../study/bootstrap.ts';
import type { Samples } from '../study/linear-model.ts';
import type { PatchTask } from './patch-task.ts';
import { type PartResult, type ProbeInput, type ProbeSettings, partScore } from './probe-part.ts';
import type { ProbePool } from './probe-pool.ts';
import { type TaskPart, taskLabels } from './task-parts.ts';

/** What one set of features (a cut, a control, or the cut chosen in training) reaches on a task. */
export interface TaskScore {
  /** Mean over the seeds of the mean over the folds: AUC for two classes, accuracy for more. */
  readonly score: number;
  readonly bySeed: readonly number[];
  /** Standard deviation over the seeds; 0 with one seed. */
  readonly seedSd: number;
  readonly parts: readonly PartResult[];
}

export function metricOf(task: PatchTask): 'AUC' | 'accuracy' {
  return task.classes.length === 2 ? 'AUC' : 'accuracy';
}

/** A figure reached without looking at the image: 0.5 for AUC, the share of the largest class for accuracy. */
export function chanceOf(task: PatchTask, parts: readonly TaskPart[]): number {
  if (task.classes.length === 2) return 0.5;
  const labels = taskLabels(task);
  return mean(
    parts.map(({ test }) => {
      const counts = task.classes.map((_, c) => test.filter((i) => labels[i] === c).length);
      return Math.max(...counts) / test.length;
    }),
  );
}

export function probeInput(task: PatchTask, samples: Samples): ProbeInput {
  const groups = task.images.map(({ group }) => group);
  return { samples, labels: taskLabels(task), classes: task.classes.length, groups, gram: null };
}

/** Fits and judges the probe on every part, on the threads of a pool. Throws as `probePart`. */
export async function scoreTask(
  pool: ProbePool,
  task: PatchTask,
  parts: readonly TaskPart[],
  samples: Samples,
  settings: ProbeSettings,
): Promise<TaskScore> {
  return summarise(task, await pool.fit({ input: probeInput(task, samples), parts, settings }));
}

/**
 * Of several scores of one backbone, for every part the cut that did best inside its training part (the first of
 * equals): what the backbone is worth when nothing is chosen by looking at the test part.
 * @returns the score, and how often each candidate was chosen.
 */
export function chosenInTraining(
  task: PatchTask,
  candidates: readonly TaskScore[],
): { readonly score: TaskScore; readonly timesChosen: readonly number[] } {
  const timesChosen = candidates.map(() => 0);
  const parts = (candidates[0]?.parts ?? []).map((_, p) => {
    let best = 0;
    candidates.forEach(({ parts: own }, i) => {
      const top = candidates[best]?.parts[p]?.innerScore ?? Number.NEGATIVE_INFINITY;
      if ((own[p]?.innerScore ?? Number.NEGATIVE_INFINITY) > top + 1e-12) best = i;
    });
    timesChosen[best] = (timesChosen[best] ?? 0) + 1;
    return candidates[best]?.parts[p];
  });
  return {
    score: summarise(
      task,
      parts.filter((part) => part !== undefined),
    ),
    timesChosen,
  };
}

function summarise(task: PatchTask, parts: readonly PartResult[]): TaskScore {
  const labels = taskLabels(task);
  const bySeed = seedsOf(parts).map((seed) => {
    const scores = parts
      .filter(({ part }) => part.seed === seed)
      .map(({ part, decisions }) => partScore(labelsAt(labels, part.test), decisions, task.classes.length))
      .filter((score) => !Number.isNaN(score));
    return mean(scores);
  });
  return { score: mean(bySeed), bySeed, seedSd: bySeed.length > 1 ? sampleSd(bySeed) : 0, parts };
}

function seedsOf(parts: readonly PartResult[]): readonly number[] {
  return [...new Set(parts.map(({ part }) => part.seed))];
}

function labelsAt(labels: Uint32Array, rows: readonly number[]): Uint32Array {
  return Uint32Array.from(rows, (row) => labels[row] ?? 0);
}

/**
 * The score as a function of which tested images are drawn (repeats included): the mean over seeds of the mean over
 * folds, for the bootstrap.
 * @param tested the images that are drawn from, as `testedImages` gives them.
 */
export function resampledScore(
  task: PatchTask,
  { parts }: TaskScore,
  tested: readonly number[],
): (rows: Uint32Array) => number {
  const classes = task.classes.length;
  const outputs = classes === 2 ? 1 : classes;
  const labels = taskLabels(task);
  // Where each drawn image lies in each part: its row of decisions, or -1.
  const places = parts.map(({ part }) => {
    const rowOf = new Map(part.test.map((image, row) => [image, row]));
    return Int32Array.from(tested, (image) => rowOf.get(image) ?? -1);
  });
  return (drawn) => {
    const bySeed = new Map<number, number[]>();
    parts.forEach(({ part, decisions }, p) => {
      const place = places[p] ?? new Int32Array(0);
      const inPart = drawn.filter((row) => (place[row] ?? -1) >= 0);
      const truth = Uint32Array.from(inPart, (row) => labels[tested[row] ?? 0] ?? 0);
      const values = new Float64Array(inPart.length * outputs);
      inPart.forEach((row, i) => {
        const from = (place[row] ?? 0) * outputs;
        for (let k = 0; k < outputs; k++) values[i * outputs + k] = decisions[from + k] as number;
      });
      const score = inPart.length === 0 ? Number.NaN : partScore(truth, values, classes);
      if (!Number.isNaN(score)) bySeed.set(part.seed, [...(bySeed.get(part.seed) ?? []), score]);
    });
    return mean([...bySeed.values()].map((scores) => mean(scores)));
  };
}

/** Interval of a score by resampling whole groups of tested images. */
export function scoreInterval(
  task: PatchTask,
  score: TaskScore,
  tested: readonly number[],
  options: BootstrapOptions,
): BootstrapInterval {
  const groups = tested.map((image) => task.images[image]?.group ?? '');
  return bootstrapInterval(tested.length, groups, resampledScore(task, score, tested), options);
}
