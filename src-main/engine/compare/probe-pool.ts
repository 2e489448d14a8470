import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { AppError, fromErrorPayload } from '../../../src-shared/errors.ts';
import type { ProbeAnswer, ProbeJob } from '../worker/patch-probe.ts';
import { workerUrl } from '../worker/worker-url.ts';
import type { PartResult } from './probe-part.ts';

interface Waiting {
  readonly job: ProbeJob;
  readonly resolve: (results: readonly PartResult[]) => void;
  readonly reject: (error: unknown) => void;
}

/** More threads than this only take memory: a comparison has few probes at a time. */
const MOST_THREADS = 8;

/**
 * Threads that fit probes, so that the thread that serves the window (or prints progress) stays free. Start one for a
 * comparison and close it after.
 */
export class ProbePool {
  readonly #idle: Worker[] = [];
  readonly #all: Worker[];
  readonly #queue: Waiting[] = [];
  readonly #running = new Map<Worker, Waiting>();
  #nextId = 1;
  #closed = false;

  /** @param threads 0 = as many as there are cores. */
  constructor(threads: number) {
    const count = Math.min(MOST_THREADS, threads > 0 ? threads : availableParallelism());
    this.#all = Array.from({ length: count }, () => this.#start());
    this.#idle.push(...this.#all);
  }

  /** Fits and judges a probe on every part. Throws as `probePart`, and Cancelled once the pool is closed. */
  fit(job: Omit<ProbeJob, 'id'>): Promise<readonly PartResult[]> {
    if (this.#closed) return Promise.reject(cancelled());
    return new Promise((resolve, reject) => {
      this.#queue.push({ job: { ...job, id: this.#nextId++ }, resolve, reject });
      this.#next();
    });
  }

  /** Ends the threads at once: what is under way is lost. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of [...this.#queue.splice(0), ...this.#running.values()]) reject(cancelled());
    this.#running.clear();
    await Promise.all(this.#all.map((worker) => worker.terminate()));
  }

  #start(): Worker {
    const worker = new Worker(workerUrl('patch-probe'), { name: 'patch-probe' });
    worker.unref();
    worker.on('message', (answer: ProbeAnswer) => {
      const waiting = this.#running.get(worker);
      this.#release(worker);
      if ('error' in answer) waiting?.reject(fromErrorPayload(answer.error));
      else waiting?.resolve(answer.results);
    });
    worker.on('error', (cause) => {
      const waiting = this.#running.get(worker);
      this.#running.delete(worker);
      waiting?.reject(
        new AppError('Internal', 'A thread that fits probes ended.', { advice: 'Compare again.', cause }),
      );
    });
    return worker;
  }

  #release(worker: Worker): void {
    this.#running.delete(worker);
    this.#idle.push(worker);
    worker.unref();
    this.#next();
  }

  #next(): void {
    const worker = this.#queue.length > 0 ? this.#idle.pop() : undefined;
    if (worker === undefined) return;
    const waiting = this.#queue.shift();
    if (waiting === undefined) return;
    this.#running.set(worker, waiting);
    worker.ref();
    worker.postMessage(waiting.job);
  }
}

function cancelled(): AppError {
  return new AppError('Cancelled', 'The comparison was cancelled.');
}
