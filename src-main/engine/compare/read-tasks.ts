import { AppError } from '../../../src-shared/errors.ts';
import { checkTask } from './check-task.ts';
import { findTasks } from './find-tasks.ts';
import type { PatchTask, SkippedTask, TaskOptions } from './patch-task.ts';

/**
 * All tasks at the given paths (see `findTasks`), checked. Names are unique: a second task of a name is refused.
 *
 * @throws AppError NotFound, InvalidRequest where no task at all can be used (each reason in `detail`).
 */
export async function readTasks(
  paths: readonly string[],
  options: TaskOptions,
): Promise<{ readonly tasks: readonly PatchTask[]; readonly skipped: readonly SkippedTask[] }> {
  const tasks: PatchTask[] = [];
  const skipped: SkippedTask[] = [];
  for (const path of paths) {
    const here = await findTasks(path);
    skipped.push(...here.skipped);
    for (const found of here.found) {
      if (tasks.some(({ name }) => name === found.name)) {
        throw new AppError('InvalidRequest', `Two tasks are called ${found.name}.`, { advice: 'Rename one of them.' });
      }
      const checked = await checkTask(found, options);
      if ('reason' in checked) skipped.push(checked);
      else tasks.push(checked);
    }
  }
  if (tasks.length > 0) return { tasks, skipped };
  const [first] = skipped;
  const reasons = skipped.map(({ name, reason }) => `${name}: ${reason}`).join('\n');
  throw new AppError('InvalidRequest', `No task can be used. ${first ? `${first.name}: ${first.reason}` : ''}`.trim(), {
    advice: 'Give at least two classes with five images each.',
    detail: reasons,
  });
}
