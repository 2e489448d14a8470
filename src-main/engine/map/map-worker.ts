import { Worker } from 'node:worker_threads';
import { AppError, fromErrorPayload } from '../../../src-shared/errors.ts';
import type { StoredMap } from '../store/store.ts';
import type { MapAnswer, MapTask } from '../worker/map.ts';
import { workerUrl } from '../worker/worker-url.ts';

interface Waiting {
  readonly resolve: (map: StoredMap) => void;
  readonly reject: (error: unknown) => void;
}

/** Computes maps on a thread of its own, so that tiles keep coming while a large bag is clustered. */
export class MapWorker {
  #worker: Worker | null = null;
  #nextId = 0;
  readonly #waiting = new Map<number, Waiting>();

  /** Throws what `computeMap` throws; Internal when the thread dies. */
  async compute(task: Omit<MapTask, 'id'>): Promise<StoredMap> {
    const worker = this.#start();
    const id = this.#nextId++;
    return await new Promise<StoredMap>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const message: MapTask = { ...task, id };
      worker.postMessage(message);
    });
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(workerUrl('map'));
    worker.on('message', (answer: MapAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ('error' in answer) waiting?.reject(fromErrorPayload(answer.error));
      else waiting?.resolve({ description: answer.description, values: answer.values });
    });
    worker.on('error', (error) => this.#fail(error.message));
    worker.on('exit', () => this.#fail('the thread ended'));
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #fail(detail: string): void {
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) {
      reject(new AppError('Internal', 'The map could not be computed.', { advice: 'Try again.', detail }));
    }
    this.#waiting.clear();
  }
}
