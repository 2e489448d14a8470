import type { TaskCheck } from '../../../src-shared/model/comparison-record.ts';
import { checkTask } from '../compare/check-task.ts';
import { findTasks } from '../compare/find-tasks.ts';
import type { PatchTask, TaskOptions } from '../compare/patch-task.ts';

/**
 * Every task at the given paths as it would be compared: classes, images, groups, and what is wrong.
 *
 * @throws AppError NotFound; InvalidRequest where nothing there can be read as a task.
 */
export async function checkTasksAt(paths: readonly string[], options: TaskOptions): Promise<readonly TaskCheck[]> {
  const checks: TaskCheck[] = [];
  for (const path of paths) {
    const { found, skipped } = await findTasks(path);
    for (const task of found) {
      const checked = await checkTask(task, options);
      if ('reason' in checked) checks.push(unusable(checked.name, checked.reason));
      else if (checks.some(({ name }) => name === checked.name)) {
        checks.push(unusable(checked.name, `Two tasks are called ${checked.name}. Rename the folder of one of them.`));
      } else checks.push(usable(checked));
    }
    checks.push(...skipped.map(({ name, reason }) => unusable(name, reason)));
  }
  return checks;
}

function usable({ name, classes, images, grouped, heldOut, notes }: PatchTask): TaskCheck {
  return {
    ...{ name, reason: null, images: images.length, grouped, heldOut, notes },
    classes: classes.map((label) => {
      const own = images.filter((image) => image.label === label);
      return { label, images: own.length, groups: new Set(own.map(({ group }) => group)).size };
    }),
  };
}

function unusable(name: string, reason: string): TaskCheck {
  return { name, reason, classes: [], images: 0, grouped: false, heldOut: false, notes: [] };
}
