import { AppError, fromErrorPayload } from '../../src-shared/errors.ts';
import type { JobId } from '../../src-shared/model/ids.ts';
import type { Job } from '../../src-shared/model/job.ts';
import type { Engine } from '../engine/engine.ts';

/**
 * Waits until a job has ended, telling how it goes.
 * @param signal cancels the job; what is computed stays and the same request continues it.
 * @throws AppError the job's own error; Cancelled where it was cancelled or interrupted.
 */
export async function awaitJob(
  engine: Engine,
  id: JobId,
  onProgress: (job: Job) => void,
  signal?: AbortSignal,
): Promise<void> {
  const cancel = (): void => void engine.api.cancelJob(id).catch(() => undefined);
  let unsubscribe = (): void => undefined;
  try {
    const ended = new Promise<Job>((resolve) => {
      const see = (job: Job | undefined): void => {
        if (job?.id !== id) {
          return;
        }
        onProgress(job);
        if (job.state !== 'queued' && job.state !== 'running') {
          resolve(job);
        }
      };
      unsubscribe = engine.subscribe((event) => see(event.type === 'job' ? event.job : undefined));
      // It may have ended before anyone listened.
      void engine.api.listJobs().then((jobs) => see(jobs.find((job) => job.id === id)));
    });
    signal?.addEventListener('abort', cancel);
    if (signal?.aborted) {
      cancel();
    }
    endOf(await ended);
  } finally {
    signal?.removeEventListener('abort', cancel);
    unsubscribe();
  }
}

function endOf(job: Job): void {
  if (job.state === 'failed') {
    throw job.error === null ? new AppError('Internal', 'The job failed.') : fromErrorPayload(job.error);
  }
  if (job.state !== 'done') {
    throw new AppError('Cancelled', 'Cancelled.', { advice: 'Run the same command again to continue.' });
  }
}
