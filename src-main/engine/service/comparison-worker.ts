import { Worker } from 'node:worker_threads';
import { AppError, fromErrorPayload } from '../../../src-shared/errors.ts';
import type { ProgressReport } from '../job/progress.ts';
import type { CompareAnswer, CompareCommand, CompareOutcome, CompareWork } from '../worker/compare.ts';
import { workerUrl } from '../worker/worker-url.ts';

/**
 * Computes a comparison on a thread of its own: probes keep a core busy for minutes, and tiles must go on coming.
 * What a cancelled one has computed lies in its feature cache.
 *
 * @throws AppError as `readTasks` and `compareBackbones`; Cancelled; Internal where the thread dies.
 */
export async function compareInWorker(
  work: CompareWork,
  signal: AbortSignal,
  report: (progress: ProgressReport) => void,
): Promise<CompareOutcome> {
  const worker = new Worker(workerUrl('compare'), { name: 'compare' });
  const send = (command: CompareCommand): void => worker.postMessage(command);
  const cancel = (): void => send({ type: 'cancel' });
  signal.addEventListener('abort', cancel);
  try {
    return await new Promise<CompareOutcome>((resolve, reject) => {
      let last: CompareAnswer | null = null;
      let detail = 'the thread ended';
      worker.on('message', (answer: CompareAnswer) => {
        last = answer;
        if (answer.type === 'progress') {
          const { type: _, ...progress } = answer;
          report(progress);
        }
      });
      worker.on('error', (error) => {
        detail = String(error);
      });
      // Not before: the engine must not close while a session runs below.
      worker.on('exit', () => settle(last, detail, resolve, reject));
      send({ type: 'compare', work });
      if (signal.aborted) cancel();
    });
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function settle(
  last: CompareAnswer | null,
  detail: string,
  resolve: (outcome: CompareOutcome) => void,
  reject: (error: Error) => void,
): void {
  if (last?.type === 'done') resolve(last.outcome);
  else if (last?.type === 'failed') reject(fromErrorPayload(last.error));
  else reject(new AppError('Internal', 'The comparison stopped unexpectedly.', { advice: 'Resume it.', detail }));
}
