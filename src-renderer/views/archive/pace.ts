import type { Job } from '../../../src-shared/model/job.ts';

/** How far an archive is. */
export interface ArchivePace {
  readonly slides: number;
  readonly slidesDone: number;
  readonly slidesLeftOut: number;
  /** Tiles of all slides that are done, run or wait; those left out or paused are not in it. */
  readonly tiles: number;
  readonly tilesDone: number;
  /** Now, or of the slide that was done last; null before the first measurement. */
  readonly perSecond: number | null;
  readonly secondsLeft: number | null;
}

/** Adds up the jobs of an archive. The time left takes the present speed for all that is still to do. */
export function paceOf(jobs: readonly Job[]): ArchivePace {
  const counted = jobs.filter(({ state }) => state === 'queued' || state === 'running' || state === 'done');
  const tiles = counted.reduce((sum, { progress }) => sum + progress.total, 0);
  const tilesDone = counted.reduce(
    (sum, { state, progress }) => sum + (state === 'done' ? progress.total : progress.done),
    0,
  );
  const perSecond = speedOf(jobs);
  const left = tiles - tilesDone;
  return {
    slides: jobs.length,
    slidesDone: jobs.filter(({ state }) => state === 'done').length,
    slidesLeftOut: jobs.filter(({ state }) => state === 'failed').length,
    tiles,
    tilesDone,
    perSecond,
    secondsLeft: perSecond === null || perSecond === 0 || left === 0 ? null : left / perSecond,
  };
}

function speedOf(jobs: readonly Job[]): number | null {
  const running = jobs.find(({ state, progress }) => state === 'running' && progress.perSecond !== null);
  if (running) return running.progress.perSecond;
  const done = jobs.filter(({ state, progress }) => state === 'done' && progress.perSecond !== null);
  const last = done.reduce<Job | null>(
    (latest, job) => ((job.finishedAtMs ?? 0) > (latest?.finishedAtMs ?? -1) ? job : latest),
    null,
  );
  return last?.progress.perSecond ?? null;
}

/** Seconds until this slide is done: those before it in the queue are done first. Null while no speed is known. */
export function secondsUntilDone(job: Job, waitingInOrder: readonly Job[], pace: ArchivePace): number | null {
  const { perSecond } = pace;
  if (perSecond === null || perSecond === 0) return null;
  const left = ({ progress }: Job): number => Math.max(0, progress.total - progress.done);
  const at = waitingInOrder.indexOf(job);
  if (at < 0) return null;
  return waitingInOrder.slice(0, at + 1).reduce((sum, each) => sum + left(each), 0) / perSecond;
}
