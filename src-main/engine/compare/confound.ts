import type { ConfoundAlarm, ControlScore } from '../../../src-shared/model/comparison.ts';
import { mean } from '../../../src-shared/numeric/statistics.ts';
import { rocAuc } from '../study/metrics.ts';
import type { PatchTask } from './patch-task.ts';
import type { TaskScore } from './score-task.ts';
import { taskLabels } from './task-parts.ts';

/** A control that reaches this part of what the best backbone gains over chance means: the task cannot rank them. */
export const CONFOUND_SHARE = 0.8;

/** Scores of a backbone or control; several where random twins were drawn. */
export interface Contestant {
  readonly name: string;
  readonly scores: readonly TaskScore[];
}

/**
 * The alarm for a whole task: the strongest control against the best trained backbone. It sounds where the control
 * reaches `CONFOUND_SHARE` of the gain over chance, or lies in the backbone's interval.
 */
export function taskAlarm(
  metric: ConfoundAlarm['metric'],
  chance: number,
  best: { readonly backbone: string; readonly score: number; readonly low: number | null },
  controls: readonly ControlScore[],
): ConfoundAlarm | null {
  const control = strongest(controls);
  if (control === null) return null;
  const reached = shareOf(control.score, best.score, chance);
  const inside = best.low !== null && control.score >= best.low;
  const { backbone, score } = best;
  return {
    classes: null,
    metric,
    best: { backbone, score },
    control,
    reached,
    alarm: inside || reached >= CONFOUND_SHARE,
  };
}

/** The same for every two classes of a task, by the AUC of the difference of their decision values. */
export function pairAlarms(
  task: PatchTask,
  backbones: readonly Contestant[],
  controls: readonly Contestant[],
): readonly ConfoundAlarm[] {
  if (task.classes.length < 3) return [];
  const alarms: ConfoundAlarm[] = [];
  for (let a = 0; a < task.classes.length; a++) {
    for (let b = a + 1; b < task.classes.length; b++) {
      const scored = (of: readonly Contestant[]): ControlScore[] =>
        of.map(({ name, scores }) => ({ name, score: mean(scores.map((score) => pairAuc(task, score, a, b))) }));
      const best = strongest(scored(backbones));
      const control = strongest(scored(controls));
      if (best === null || control === null) continue;
      const reached = shareOf(control.score, best.score, 0.5);
      alarms.push({
        classes: [task.classes[a] ?? '', task.classes[b] ?? ''],
        metric: 'AUC',
        best: { backbone: best.name, score: best.score },
        control,
        reached,
        alarm: reached >= CONFOUND_SHARE,
      });
    }
  }
  return alarms;
}

/** Mean over the parts of the AUC with which class b is told from class a; parts without one of them do not count. */
function pairAuc(task: PatchTask, { parts }: TaskScore, a: number, b: number): number {
  const labels = taskLabels(task);
  const classes = task.classes.length;
  const aucs = parts.map(({ part, decisions }) => {
    const rows = part.test.flatMap((image, row) => (labels[image] === a || labels[image] === b ? [row] : []));
    const truth = rows.map((row) => (labels[part.test[row] ?? 0] === b ? 1 : 0));
    const margin = rows.map((row) => (decisions[row * classes + b] ?? 0) - (decisions[row * classes + a] ?? 0));
    return rocAuc(truth, margin);
  });
  return mean(aucs.filter((auc) => !Number.isNaN(auc)));
}

/** A backbone that does not beat chance leaves nothing to share: any control then reaches it. */
function shareOf(control: number, best: number, chance: number): number {
  return best <= chance ? 1 : Math.max(0, (control - chance) / (best - chance));
}

function strongest(scores: readonly ControlScore[]): ControlScore | null {
  return scores.reduce<ControlScore | null>((top, it) => (top === null || it.score > top.score ? it : top), null);
}
