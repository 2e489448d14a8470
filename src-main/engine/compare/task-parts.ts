import { innerFolds, type StudyCase } from '../study/splits.ts';
import type { PatchTask } from './patch-task.ts';

/** One training and one test part of a task, by image number. */
export interface TaskPart {
  readonly seed: number;
  readonly fold: number;
  readonly train: readonly number[];
  readonly test: readonly number[];
}

/** Folds of a cross-validation over a task without parts of its own; fewer where a class has fewer groups. */
export const OUTER_FOLDS = 5;

/**
 * The parts a task is judged on, the same for every backbone and cut: its own held-out part for every seed (which then
 * only draws the inner folds), else grouped folds drawn anew for every seed.
 *
 * @throws AppError InvalidRequest where a class cannot be split.
 */
export function taskParts(task: PatchTask, seeds: readonly number[]): readonly TaskPart[] {
  const all = task.images.map((_, i) => i);
  if (task.heldOut) {
    const train = all.filter((i) => task.images[i]?.part === 'train');
    const test = all.filter((i) => task.images[i]?.part === 'test');
    return seeds.map((seed) => ({ seed, fold: 0, train, test }));
  }
  const cases: StudyCase[] = task.images.map(({ label, group }, i) => ({ id: String(i), label, group }));
  return seeds.flatMap((seed) =>
    innerFolds(cases, OUTER_FOLDS, seed).map((test, fold) => {
      const held = new Set(test);
      return { seed, fold, train: all.filter((i) => !held.has(i)), test };
    }),
  );
}

/** Class of each image as a number, in the order of `task.classes`. */
export function taskLabels(task: PatchTask): Uint32Array {
  return Uint32Array.from(task.images, ({ label }) => task.classes.indexOf(label));
}

/** The images that are tested, in ascending order. */
export function testedImages(parts: readonly TaskPart[]): readonly number[] {
  return [...new Set(parts.flatMap(({ test }) => test))].sort((a, b) => a - b);
}
