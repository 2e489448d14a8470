import { Worker } from 'node:worker_threads';
import { AppError, fromErrorPayload } from '../../../src-shared/errors.ts';
import type { AttendAnswer, AttendCommand } from '../worker/attend.ts';
import { workerUrl } from '../worker/worker-url.ts';
import type { Ensemble } from './ensemble.ts';
import type { HeadSpec } from './head-spec.ts';
import type { Judged, JudgeRequest } from './judge-bag.ts';

interface Running {
  readonly settle: (judged: Judged) => void;
  readonly fail: (error: unknown) => void;
  readonly onSoFar: (ensemble: Ensemble) => void;
}

/** The thread that draws maps with heads, as its clients see it. It is not the training's: a map waits for no training. */
export class AttentionWorker {
  readonly #threads: number;
  readonly #running = new Map<number, Running>();
  #worker: Worker | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #nextId = 1;

  /** @param threads of its session; 0 = all cores. */
  constructor(threads: number) {
    this.#threads = threads;
  }

  /** Opens what heads of this shape need; a bag is on its way. */
  prepare(spec: HeadSpec): void {
    this.#post({ type: 'prepare', spec, threads: this.#threads });
  }

  /** `judgeBag` on its thread, one bag after another. Throws Cancelled soon after the signal. */
  async judge(request: JudgeRequest, onSoFar: (ensemble: Ensemble) => void, signal: AbortSignal): Promise<Judged> {
    const mine = this.#turn.then(async () => {
      if (signal.aborted) throw new AppError('Cancelled', 'The map is no longer wanted.');
      const id = this.#nextId++;
      const stop = (): void => this.#post({ type: 'cancel', id });
      signal.addEventListener('abort', stop, { once: true });
      try {
        return await new Promise<Judged>((settle, fail) => {
          this.#running.set(id, { settle, fail, onSoFar });
          this.#post({ type: 'judge', id, threads: this.#threads, ...request });
          this.#worker?.ref();
        });
      } finally {
        signal.removeEventListener('abort', stop);
      }
    });
    this.#turn = mine.catch(() => undefined);
    return await mine;
  }

  /** Waits for the bag under way, then ends the thread. */
  async close(): Promise<void> {
    await this.#turn;
    this.#worker?.removeAllListeners('exit');
    await this.#worker?.terminate();
    this.#worker = null;
  }

  #post(command: AttendCommand): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(command);
  }

  #start(): Worker {
    const worker = new Worker(workerUrl('attend'), { name: 'attend' });
    worker.unref();
    worker.on('message', (answer: AttendAnswer) => this.#receive(answer));
    worker.on('error', (cause) => this.#failAll(cause));
    worker.on('exit', () => this.#failAll(null));
    return worker;
  }

  #receive(answer: AttendAnswer): void {
    const running = this.#running.get(answer.id);
    if (answer.type === 'so-far') {
      running?.onSoFar(answer.ensemble);
      return;
    }
    this.#running.delete(answer.id);
    if (this.#running.size === 0) this.#worker?.unref();
    if (answer.type === 'failed') running?.fail(fromErrorPayload(answer.error));
    else running?.settle(answer.judged);
  }

  #failAll(cause: unknown): void {
    this.#worker = null;
    for (const { fail } of this.#running.values()) {
      fail(new AppError('Internal', 'The heads could not judge this slide.', { advice: 'Try again.', cause }));
    }
    this.#running.clear();
  }
}
