import { Worker } from 'node:worker_threads';
import { AppError, fromErrorPayload } from '../../../src-shared/errors.ts';
import { workerUrl } from '../worker/worker-url.ts';
import type { StoreReply, StoreRequest, StoreWorkerData } from './protocol.ts';
import type { SlowCall } from './sqlite-store.ts';
import type { FeatureChunk, OpenedStore, Store } from './store.ts';
import { STORE_METHODS, type StoreMethod } from './sync-store.ts';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

const CLOSED = 'The store has been closed.';

/** A conversation with the store's thread: numbered requests, each answered once. */
class StoreThread {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private readonly exited: Promise<void>;
  private nextId = 1;
  private closing: Promise<void> | null = null;
  private gone: AppError | null = null;
  private opening: Waiting | null = null;

  constructor(data: StoreWorkerData, onSlow: (call: SlowCall) => void) {
    this.worker = new Worker(workerUrl('store'), { workerData: data, name: 'store' });
    this.worker.on('message', (reply: StoreReply) => this.receive(reply, onSlow));
    this.worker.on('error', (error) => this.fail(String(error)));
    this.exited = new Promise((resolve) => {
      this.worker.once('exit', () => {
        this.fail('the thread ended');
        resolve();
      });
    });
  }

  opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.opening = { resolve: () => resolve(), reject };
    });
  }

  call(method: StoreMethod, args: readonly unknown[]): Promise<unknown> {
    if (this.closing !== null) return Promise.reject(new AppError('Cancelled', CLOSED));
    const { sent, transfer } = method === 'appendFeatures' ? ownedChunk(args) : { sent: args, transfer: [] };
    return this.request((id) => ({ kind: 'call', id, method, args: sent }), transfer);
  }

  /** Calls made before are answered first: the thread takes requests in order. */
  close(): Promise<void> {
    this.closing ??= this.request((id) => ({ kind: 'close', id }), []).then(() => this.exited);
    return this.closing;
  }

  private request(make: (id: number) => StoreRequest, transfer: readonly ArrayBuffer[]): Promise<unknown> {
    if (this.gone !== null) return Promise.reject(this.gone);
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage(make(id), [...transfer]);
    });
  }

  private receive(reply: StoreReply, onSlow: (call: SlowCall) => void): void {
    if (reply.kind === 'slow') onSlow(reply.call);
    else if (reply.kind === 'opened') this.opening?.resolve(undefined);
    else if (reply.kind === 'refused') this.opening?.reject(fromErrorPayload(reply.error));
    else {
      const waiting = this.waiting.get(reply.id);
      this.waiting.delete(reply.id);
      if (reply.kind === 'value') waiting?.resolve(reply.value);
      else waiting?.reject(fromErrorPayload(reply.error));
    }
  }

  private fail(detail: string): void {
    if (this.gone !== null) return;
    const error =
      this.closing === null
        ? new AppError('EngineCrashed', 'The store stopped unexpectedly.', {
            advice: 'Start Hyaline again; what was stored is kept.',
            detail,
          })
        : new AppError('Cancelled', CLOSED);
    this.gone = error;
    this.opening?.reject(error);
    for (const waiting of this.waiting.values()) waiting.reject(error);
    this.waiting.clear();
  }
}

/** The chunk on memory of its own, which is moved to the thread: the caller may reuse its buffer at once. */
function ownedChunk(args: readonly unknown[]): { sent: readonly unknown[]; transfer: readonly ArrayBuffer[] } {
  const chunk = args[0] as FeatureChunk;
  const values = new Float32Array(chunk.values);
  return { sent: [{ ...chunk, values }], transfer: [values.buffer] };
}

/** A store whose database lives on its own thread. @throws AppError as `openDatabase` */
export async function openThreadStore(data: StoreWorkerData, onSlow: (call: SlowCall) => void): Promise<OpenedStore> {
  const thread = new StoreThread(data, onSlow);
  await thread.opened();
  const methods = STORE_METHODS.map((method) => {
    return [method, (...args: readonly unknown[]) => thread.call(method, args)] as const;
  });
  const store = Object.fromEntries(methods) as unknown as Store;
  return { ...store, close: () => thread.close() };
}
