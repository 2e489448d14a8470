import { AppError } from '../../../src-shared/errors.ts';
import type { CutPoint } from '../../../src-shared/model/backbone.ts';
import type { ProgressUnit } from '../../../src-shared/model/job.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import type { Samples } from '../study/linear-model.ts';
import { rowsOf } from '../study/linear-model.ts';
import type { CompareBackbone } from './contenders.ts';
import type { FeatureCache } from './feature-cache.ts';
import { patchFeatures } from './patch-features.ts';
import type { PatchImage, PatchTask } from './patch-task.ts';
import type { ProbeSettings } from './probe-part.ts';
import type { ProbePool } from './probe-pool.ts';
import { scoreTask, type TaskScore } from './score-task.ts';
import type { TaskPart } from './task-parts.ts';

/** A task with the parts everything is judged on. */
export interface PartedTask {
  readonly task: PatchTask;
  readonly parts: readonly TaskPart[];
}

/** How far a comparison is: `stage` is shown, numbers are images or probes. */
export type ReportProgress = (stage: string, done: number, total: number, unit: ProgressUnit) => void;

export interface Bench {
  readonly worker: InferenceWorker;
  readonly cache: FeatureCache;
  readonly probes: ProbePool;
  readonly threads: number;
  readonly settings: ProbeSettings;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ReportProgress | undefined;
}

export interface NetworkScores {
  /** scores[t][c]: task t at cut c. */
  readonly scores: readonly (readonly TaskScore[])[];
  /** Features of the images asked for in `keep`, by cut. */
  readonly kept: readonly Samples[];
}

/**
 * Features of one network on the images of all tasks in one pass, then every task's probe at every cut.
 * @param keep hashes of images whose features are handed back (for CKA), in this order.
 * @throws AppError as `patchFeatures` and `probePart`; Cancelled.
 */
export async function scoreNetwork(
  bench: Bench,
  { card, modelPath, cuts }: CompareBackbone,
  tasks: readonly PartedTask[],
  keep: readonly string[],
): Promise<NetworkScores> {
  const images = uniqueImages(tasks);
  const rowOf = new Map(images.map(({ sha256 }, row) => [sha256, row]));
  const { worker, cache, threads, signal, onProgress } = bench;
  const features = await patchFeatures({
    ...{ worker, cache, modelPath, card, cuts, images, threads, signal },
    onProgress: (done, total) => onProgress?.(`Features of ${card.name}`, done, total, 'images'),
  });
  const total = tasks.length * cuts.length;
  let done = 0;
  const scored = async ({ task, parts }: PartedTask, cut: CutPoint): Promise<TaskScore> => {
    const samples = features.get(cut.name) ?? { data: new Float32Array(0), count: 0, dim: 0 };
    const rows = task.images.map(({ sha256 }) => rowOf.get(sha256) ?? 0);
    const score = await scoreTask(bench.probes, task, parts, rowsOf(samples, rows), bench.settings);
    done += 1;
    onProgress?.(`Probes on ${card.name}`, done, total, 'probes');
    return score;
  };
  const scores = await Promise.all(tasks.map((task) => Promise.all(cuts.map((cut) => scored(task, cut)))));
  if (signal?.aborted === true) throw new AppError('Cancelled', 'The comparison was cancelled.');
  const keptRows = keep.map((sha256) => rowOf.get(sha256) ?? 0);
  const kept = cuts.flatMap(({ name }) => {
    const samples = features.get(name);
    return samples === undefined ? [] : [rowsOf(samples, keptRows)];
  });
  return { scores, kept };
}

/** Every image once, whatever tasks hold it. */
export function uniqueImages(tasks: readonly PartedTask[]): readonly PatchImage[] {
  const byHash = new Map(tasks.flatMap(({ task }) => task.images.map((image) => [image.sha256, image] as const)));
  return [...byHash.values()];
}
