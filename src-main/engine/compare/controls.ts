import type { Samples } from '../study/linear-model.ts';
import type { PatchTask } from './patch-task.ts';
import type { ProbePool } from './probe-pool.ts';
import { chosenInTraining, scoreTask, type TaskScore } from './score-task.ts';
import type { TaskPart } from './task-parts.ts';

/** What can be told without any network: a task these solve does not measure backbones. */
export const CONTROLS = [
  { name: 'mean colour', features: colourFeatures },
  { name: 'file statistics', features: fileFeatures },
] as const;

const CONTROL_C_GRID: readonly number[] = Array.from({ length: 5 }, (_, i) => 10 ** (i - 4));

/**
 * A control on the parts backbones are judged on: a linear SVM (C 1e-4 to 1) and nearest neighbours on standardised
 * features, whichever does better inside the training part. Throws as `scoreTask`.
 */
export async function scoreControl(
  pool: ProbePool,
  task: PatchTask,
  parts: readonly TaskPart[],
  samples: Samples,
): Promise<TaskScore> {
  const tried = await Promise.all([
    scoreTask(pool, task, parts, samples, { kind: 'svm', standardise: true, grid: CONTROL_C_GRID }),
    scoreTask(pool, task, parts, samples, { kind: 'knn', standardise: true }),
  ]);
  return chosenInTraining(task, tried).score;
}

/** Mean red, green and blue of each image. */
function colourFeatures(task: PatchTask): Samples {
  return samplesOf(task.images.map(({ meanRgb }) => [...meanRgb]));
}

/** Width, height, bytes, bytes per pixel and JPEG quality of each file: nothing of the picture itself. */
function fileFeatures(task: PatchTask): Samples {
  const rows = task.images.map(({ widthPx, heightPx, bytes, jpegQuality }) => {
    return [widthPx, heightPx, Math.log(bytes), bytes / (widthPx * heightPx), jpegQuality];
  });
  return samplesOf(rows);
}

function samplesOf(rows: readonly (readonly number[])[]): Samples {
  return { data: Float64Array.from(rows.flat()), count: rows.length, dim: rows[0]?.length ?? 0 };
}
