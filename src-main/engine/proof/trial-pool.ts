import { Worker } from 'node:worker_threads';
import { AppError, fromErrorPayload } from '../../../src-shared/errors.ts';
import type { TrialAnswer } from '../worker/mil-trial.ts';
import { workerUrl } from '../worker/worker-url.ts';
import type { Trial, TrialResult } from './trial.ts';

export interface TrialHooks {
  readonly signal?: AbortSignal | undefined;
  readonly onDone?: ((done: number, total: number) => void) | undefined;
}

/**
 * Runs trials on some threads of one core each; results stand in the order of the trials and do not depend on the number of
 * threads. A trial under way is finished before a cancellation takes effect: runtimes are not torn down in mid-run.
 *
 * @throws AppError Cancelled, and what a trial throws.
 */
export async function runTrials(
  trials: readonly Trial[],
  threads: number,
  { signal, onDone }: TrialHooks = {},
): Promise<readonly TrialResult[]> {
  const results = new Array<TrialResult>(trials.length);
  let [next, done] = [0, 0];
  const work = async (): Promise<void> => {
    const thread = new TrialThread();
    try {
      for (let at = next++; at < trials.length; at = next++) {
        if (signal?.aborted === true) throw new AppError('Cancelled', 'The benchmark was cancelled.');
        const trial = trials[at];
        if (trial === undefined) break;
        results[at] = await thread.run({ ...trial, training: { ...trial.training, threads: 1 } });
        onDone?.(++done, trials.length);
      }
    } catch (error) {
      next = trials.length;
      throw error;
    } finally {
      await thread.close();
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(threads, trials.length) }, work));
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
  return results;
}

class TrialThread {
  readonly #worker = new Worker(workerUrl('mil-trial'), { name: 'mil-trial' });
  #id = 0;

  run(trial: Trial): Promise<TrialResult> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => {
        reject(new AppError('Internal', 'The training thread ended unexpectedly.', { advice: 'Run it again.', cause }));
      };
      this.#worker.once('error', fail);
      this.#worker.once('message', (answer: TrialAnswer) => {
        this.#worker.off('error', fail);
        if ('result' in answer) resolve(answer.result);
        else reject(fromErrorPayload(answer.error));
      });
      this.#worker.postMessage({ id, trial });
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
