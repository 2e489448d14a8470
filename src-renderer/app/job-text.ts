import type { Job, JobProgress, ProgressUnit } from '../../src-shared/model/job.ts';
import { formatBytes, formatCount, formatDuration } from '../state/format.ts';

/** 0..1, or null while the total is unknown. */
export function shareDone({ progress }: Job): number | null {
  return progress.total > 0 ? progress.done / progress.total : null;
}

/** `120 of 480 tiles`, `1.5 of 3 GB`; empty while the total is unknown. A job of an earlier version does not say what it counted. */
function reachedText({ done, total, unit }: JobProgress): string {
  if (total === 0) return unit === 'bytes' && done > 0 ? formatBytes(done) : '';
  if (unit === 'bytes') return `${formatBytes(done)} of ${formatBytes(total)}`;
  const counted = `${formatCount(done)} of ${formatCount(total)}`;
  if (unit === undefined) return counted;
  return `${counted} ${total === 1 ? ONE[unit] : unit}`;
}

const ONE: Readonly<Record<Exclude<ProgressUnit, 'bytes'>, string>> = {
  ...{ tiles: 'tile', slides: 'slide', images: 'image', heads: 'head', epochs: 'epoch', steps: 'step' },
  ...{ probes: 'probe', batches: 'batch' },
};

/** One line under the bar of a running job: stage, count, speed, time left; what is unknown is left out. */
export function describeProgress(job: Job): string {
  if (job.state === 'queued') return describeAmounts(job);
  return [job.progress.stage, describeAmounts(job)].filter((part) => part !== '').join(' · ');
}

/** How much is done and left, where the stage stands above it. */
export function describeAmounts({ state, progress }: Job): string {
  if (state === 'queued') return 'Waiting for its turn';
  const { unit, perSecond } = progress;
  const parts = [reachedText(progress)].filter((part) => part !== '');
  if (perSecond !== null && unit === 'bytes') parts.push(`${formatBytes(perSecond)}/s`);
  else if (perSecond !== null && unit === 'tiles') parts.push(`${formatRate(perSecond)} tiles/s`);
  if (progress.secondsLeft !== null) parts.push(`${formatDuration(progress.secondsLeft)} left`);
  return parts.join(' · ');
}

/** One line for a job that does not run any more. */
export function describeJob(job: Job): string {
  const { done, total } = job.progress;
  const reached = total > 0 && done < total ? ` at ${reachedText(job.progress)}` : '';
  const kept = job.kind === 'download' ? 'what has arrived is kept' : 'what was computed is kept';
  switch (job.state) {
    case 'done': {
      const seconds = job.finishedAtMs === null ? null : (job.finishedAtMs - job.createdAtMs) / 1000;
      return seconds === null ? 'Finished' : `Finished after ${formatDuration(seconds)}`;
    }
    case 'failed':
      return job.error?.message ?? 'Failed';
    case 'cancelled':
      return job.resumable ? `Cancelled${reached}; ${kept}` : 'Cancelled';
    case 'interrupted':
      return `Interrupted${reached}; ${kept}`;
    default:
      return describeProgress(job);
  }
}

function formatRate(perSecond: number): string {
  return perSecond >= 10 ? String(Math.round(perSecond)) : perSecond.toFixed(1);
}
