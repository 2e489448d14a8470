import { basename } from 'node:path';
import type { ComparisonCell, MisjudgedPatch } from '../../../src-shared/model/comparison-record.ts';
import { mean } from '../../../src-shared/numeric/statistics.ts';
import type { JudgedTask } from '../compare/compare-request.ts';
import type { PatchTask } from '../compare/patch-task.ts';
import { predictedFrom } from '../compare/probe-part.ts';
import type { TaskScore } from '../compare/score-task.ts';

/** More misjudged images than this are not kept: the list is for looking, the numbers are in the confusion matrix. */
const MOST_MISJUDGED = 200;

/** One image as a probe judged it under one seed. */
interface Judgement {
  readonly seed: number;
  readonly image: number;
  readonly truth: number;
  readonly called: number;
  /** Decision of the class called less that of the true one; 0 where it is right. */
  readonly margin: number;
}

/** What stands behind every score of a task: shares per class, confusion, and the images that misled the probe. */
export function cellsOf({ task, scores }: JudgedTask): readonly ComparisonCell[] {
  return scores.map(({ backbone, cut, score }) => ({ task: task.name, backbone, cut, ...cellOf(task, score) }));
}

function cellOf(task: PatchTask, score: TaskScore): Omit<ComparisonCell, 'task' | 'backbone' | 'cut'> {
  const judged = judgementsOf(task, score);
  const seeds = [...new Set(judged.map(({ seed }) => seed))];
  const bySeed = seeds.map((seed) => confusionOf(judged, seed, task.classes.length));
  const at = (matrix: readonly (readonly number[])[], row: number, column: number): number =>
    matrix[row]?.[column] ?? 0;
  return {
    seeds: seeds.length,
    confusion: task.classes.map((_, t) => task.classes.map((__, c) => mean(bySeed.map((matrix) => at(matrix, t, c))))),
    perClass: task.classes.map((label, c) => ({
      label,
      images: new Set(judged.filter(({ truth }) => truth === c).map(({ image }) => image)).size,
      recall: share(bySeed.map((matrix) => ratio(at(matrix, c, c), sum(matrix[c] ?? [])))),
      precision: share(bySeed.map((matrix) => ratio(at(matrix, c, c), sum(matrix.map((row) => row[c] ?? 0))))),
    })),
    misjudged: misjudgedOf(task, judged),
  };
}

function judgementsOf(task: PatchTask, { parts }: TaskScore): readonly Judgement[] {
  const classes = task.classes.length;
  return parts.flatMap(({ part, decisions }) => {
    const called = predictedFrom(decisions, classes);
    return part.test.map((image, row) => {
      const truth = task.classes.indexOf(task.images[image]?.label ?? '');
      const own = called[row] ?? 0;
      const margin = own === truth ? 0 : leadOf(decisions, row, classes, own, truth);
      return { seed: part.seed, image, truth, called: own, margin };
    });
  });
}

/** Of two classes there is one decision value, positive for the second. */
function leadOf(decisions: Float64Array, row: number, classes: number, called: number, truth: number): number {
  if (classes === 2) return Math.abs(decisions[row] ?? 0);
  return (decisions[row * classes + called] ?? 0) - (decisions[row * classes + truth] ?? 0);
}

function confusionOf(judged: readonly Judgement[], seed: number, classes: number): number[][] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const judgement of judged) {
    const row = judgement.seed === seed ? matrix[judgement.truth] : undefined;
    if (row !== undefined) row[judgement.called] = (row[judgement.called] ?? 0) + 1;
  }
  return matrix;
}

function misjudgedOf(task: PatchTask, judged: readonly Judgement[]): readonly MisjudgedPatch[] {
  const byImage = new Map<number, Judgement[]>();
  for (const judgement of judged) {
    if (judgement.called === judgement.truth) continue;
    byImage.set(judgement.image, [...(byImage.get(judgement.image) ?? []), judgement]);
  }
  const found = [...byImage].flatMap(([index, wrong]): MisjudgedPatch[] => {
    const [image, first] = [task.images[index], wrong[0]];
    if (image === undefined || first === undefined) return [];
    const { sha256, path, label, group } = image;
    return [
      {
        ...{ sha256, label, group: task.grouped ? group : '', fileName: basename(path) },
        predicted: task.classes[first.called] ?? '',
        wrongSeeds: wrong.length,
        margin: first.margin,
      },
    ];
  });
  return found.sort((a, b) => b.wrongSeeds - a.wrongSeeds || b.margin - a.margin).slice(0, MOST_MISJUDGED);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const ratio = (part: number, whole: number): number => (whole === 0 ? Number.NaN : part / whole);

/** Mean over the seeds that have a value; null where none has. */
function share(values: readonly number[]): number | null {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.length === 0 ? null : mean(known);
}
