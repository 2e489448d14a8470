import type { Comparison, TaskComparison } from '../../../src-shared/model/comparison.ts';

/** What stands under a figure of a task: how the parts were made, then every formula with its seeds and its origin. */
export function figureNotes({ formulas }: Comparison, task: Pick<TaskComparison, 'split'>): readonly string[] {
  return [`Parts: ${task.split}.`, ...formulas];
}
