import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { AppError, type ErrorPayload, fromErrorPayload } from '../../../../src-shared/errors.ts';
import { workerUrl } from '../../worker/worker-url.ts';
import type { SyntheticOptions, SyntheticResult } from './write-synthetic.ts';

/** What the writing thread says. */
export type SynthesizeMessage =
  | { readonly type: 'progress'; readonly done: number; readonly total: number }
  | { readonly type: 'done'; readonly result: SyntheticResult }
  | { readonly type: 'failed'; readonly error: ErrorPayload };

/**
 * `writeSynthetic` on a thread of its own, so that the caller's event loop stays free.
 * Tiles are painted on as many threads as there are cores (eight at most) unless `threads` says otherwise.
 * Progress comes some ten times a second. @throws what `writeSynthetic` throws; Cancelled after the signal.
 */
export function synthesizeInWorker(options: SyntheticOptions): Promise<SyntheticResult> {
  const { onProgress, signal, ...rest } = options;
  const plain = { ...rest, threads: options.threads ?? Math.min(8, availableParallelism()) };
  if (signal?.aborted) {
    return Promise.reject(new AppError('Cancelled', 'Making the synthetic slide was cancelled.'));
  }
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerUrl('synthesize'), { workerData: { role: 'write', options: plain } });
    const cancel = (): void => worker.postMessage('cancel');
    signal?.addEventListener('abort', cancel, { once: true });
    const settle = (finish: () => void): void => {
      signal?.removeEventListener('abort', cancel);
      finish();
    };
    worker.on('message', (message: SynthesizeMessage) => {
      if (message.type === 'progress') onProgress?.(message.done, message.total);
      else if (message.type === 'done') settle(() => resolve(message.result));
      else settle(() => reject(fromErrorPayload(message.error)));
    });
    const fail = (cause: unknown): void => {
      const advice = 'Try again; a smaller slide needs less memory.';
      settle(() =>
        reject(new AppError('Internal', 'The thread that makes the synthetic slide failed.', { advice, cause })),
      );
    };
    worker.on('error', fail);
    worker.on('exit', (code) => fail(new Error(`writing thread ended with code ${code}`)));
  });
}
