import type { Job } from '../../src-shared/model/job.ts';
import { formatBytes, formatCount, formatDuration } from '../state/format.ts';

/** 0..1, or null while the total is unknown. */
export function shareDone({ progress }: Job): number | null {
  return progress.total > 0 ? progress.done / progress.total : null;
}

/** Jobs that count tiles, then epochs or fits. */
const COUNTS_SEVERAL: ReadonlySet<Job['kind']> = new Set(['study', 'compare', 'fine-tune']);

/** One line under the bar of a running job: stage, count, speed, time left; what is unknown is left out. */
export function describeProgress(job: Job): string {
  if (job.state === 'queued') return describeAmounts(job);
  return [job.progress.stage, describeAmounts(job)].filter((part) => part !== '').join(' · ');
}

/** How much is done and left, where the stage stands above it. */
export function describeAmounts({ kind, state, progress }: Job): string {
  if (state === 'queued') return 'Waiting for its turn';
  const parts: string[] = [];
  const amount = kind === 'download' ? formatBytes : formatCount;
  if (progress.total > 0) parts.push(`${amount(progress.done)} of ${amount(progress.total)}`);
  else if (kind === 'download' && progress.done > 0) parts.push(amount(progress.done));
  // A study counts tiles, then epochs: a speed without its unit says nothing.
  if (progress.perSecond !== null && !COUNTS_SEVERAL.has(kind)) {
    parts.push(
      kind === 'download' ? `${formatBytes(progress.perSecond)}/s` : `${formatRate(progress.perSecond)} tiles/s`,
    );
  }
  if (progress.secondsLeft !== null) parts.push(`${formatDuration(progress.secondsLeft)} left`);
  return parts.join(' · ');
}

/** One line for a job that does not run any more. */
export function describeJob(job: Job): string {
  const { done, total } = job.progress;
  const loading = job.kind === 'download';
  const unit = loading || COUNTS_SEVERAL.has(job.kind) ? '' : ' tiles';
  const amount = loading ? formatBytes : formatCount;
  const reached = total > 0 && done < total ? ` at ${amount(done)} of ${amount(total)}${unit}` : '';
  const kept = loading ? 'what has arrived is kept' : 'what was computed is kept';
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
