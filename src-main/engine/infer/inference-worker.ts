import { Worker } from 'node:worker_threads';
import { AppError, fromErrorPayload } from '../../../src-shared/errors.ts';
import { workerUrl } from '../worker/worker-url.ts';
import type { InferAnswer, InferCommand, InferCommands, LoadReply, LoadRequest, RunRequest } from './protocol.ts';

interface Waiting {
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

/**
 * The inference thread as its clients see it. Start one and keep it: threads with onnxruntime are made to live long.
 * Commands run in the order they are given.
 */
export class InferenceWorker {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private readonly exited: Promise<void>;
  private nextId = 1;
  private ended: Error | null = null;

  private readonly graphCache: string | null;

  /** @param graphCache folder in which optimised graphs are kept; null = nothing is kept. */
  constructor(graphCache: string | null = null) {
    this.graphCache = graphCache;
    this.worker = new Worker(workerUrl('infer'), { name: 'infer' });
    this.worker.unref();
    this.worker.on('message', (answer: InferAnswer) => this.settle(answer));
    this.worker.on('error', (cause) => this.end(cause));
    this.exited = new Promise((resolve) => {
      this.worker.once('exit', () => {
        this.end(null);
        resolve();
      });
    });
  }

  /** Opens a session. @throws AppError BackboneUnreadable, BackboneFailed, DeviceFailed. */
  load(request: LoadRequest): Promise<LoadReply> {
    return this.call('load', this.graphCache === null ? request : { graphCache: this.graphCache, ...request });
  }

  /** Computes features of a batch; see RunRequest. @throws AppError BackboneFailed, DeviceFailed. */
  async run(request: RunRequest): Promise<void> {
    await this.call('run', request);
  }

  async release(session: number): Promise<void> {
    await this.call('release', { session });
  }

  /** Any other command of the protocol. */
  call<K extends InferCommand>(command: K, request: InferCommands[K]['request']): Promise<InferCommands[K]['reply']> {
    if (this.ended) return Promise.reject(this.ended);
    const id = this.nextId;
    this.nextId += 1;
    // A thread that has nothing to do must not keep the process alive; one that works must.
    this.worker.ref();
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (reply: unknown) => void, reject });
      this.worker.postMessage({ id, command, request });
    });
  }

  /** Waits for what runs, releases every session and ends the thread. */
  async close(): Promise<void> {
    if (!this.ended) await this.call('close', null);
    this.worker.ref();
    await this.exited;
  }

  private settle(answer: InferAnswer): void {
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if (this.waiting.size === 0) this.worker.unref();
    if (answer.ok) waiting?.resolve(answer.reply);
    else waiting?.reject(fromErrorPayload(answer.error));
  }

  private end(cause: unknown): void {
    this.ended ??= new AppError('DeviceFailed', 'The inference thread stopped.', {
      advice: 'Resume the analysis; it goes on from the last stored tiles.',
      detail: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause ?? ''),
    });
    for (const waiting of this.waiting.values()) waiting.reject(this.ended);
    this.waiting.clear();
  }
}
