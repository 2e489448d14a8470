import type { Job } from '../../src-shared/model/job.ts';
import { formatCount, formatDuration } from '../state/format.ts';

/** 0..1, or null while the total is unknown. */
export function shareDone({ progress }: Job): number | null {
  return progress.total > 0 ? progress.done / progress.total : null;
}

/** One line under the bar of a running job: stage, count, speed, time left; what is unknown is left out. */
export function describeProgress({ kind, state, progress }: Job): string {
  if (state === 'queued') return 'Waiting for its turn';
  const parts = [progress.stage];
  if (progress.total > 0) parts.push(`${formatCount(progress.done)} of ${formatCount(progress.total)}`);
  // A study counts tiles, then epochs: a speed without its unit says nothing.
  if (progress.perSecond !== null && kind !== 'study' && kind !== 'compare') parts.push(`${formatRate(progress.perSecond)} tiles/s`);
  if (progress.secondsLeft !== null) parts.push(`${formatDuration(progress.secondsLeft)} left`);
  return parts.filter((part) => part !== '').join(' · ');
}

/** One line for a job that does not run any more. */
export function describeJob(job: Job): string {
  const { done, total } = job.progress;
  const unit = job.kind === 'study' || job.kind === 'compare' ? '' : ' tiles';
  const reached = total > 0 && done < total ? ` at ${formatCount(done)} of ${formatCount(total)}${unit}` : '';
  switch (job.state) {
    case 'done': {
      const seconds = job.finishedAtMs === null ? null : (job.finishedAtMs - job.createdAtMs) / 1000;
      return seconds === null ? 'Finished' : `Finished after ${formatDuration(seconds)}`;
    }
    case 'failed':
      return job.error?.message ?? 'Failed';
    case 'cancelled':
      return job.resumable ? `Cancelled${reached}; what was computed is kept` : 'Cancelled';
    case 'interrupted':
      return `Interrupted${reached}; what was computed is kept`;
    default:
      return describeProgress(job);
  }
}

function formatRate(perSecond: number): string {
  return perSecond >= 10 ? String(Math.round(perSecond)) : perSecond.toFixed(1);
}
