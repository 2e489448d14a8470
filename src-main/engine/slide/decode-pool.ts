import { Worker } from 'node:worker_threads';
import { AppError, fromErrorPayload } from '../../../src-shared/errors.ts';
import { workerUrl } from '../worker/worker-url.ts';
import type { DecodeReply, DecodeRequest, RegionBatch } from './region-batch.ts';
import { throwIfCancelled } from './slide-errors.ts';

/** Worker threads that read regions of one slide into shared memory. */
export interface DecodePool {
  readonly workers: number;
  /**
   * Reads all regions, spread over the workers in runs of neighbours (which share decoded tiles). Resolves when every
   * byte is in place. Throws as `SlideSource.readRegion`, Cancelled where the signal fires before all runs are sent.
   */
  readRegions(batch: RegionBatch, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Regions sent to a worker at a time: small enough to balance the workers and to cancel soon. */
const RUN_REGIONS = 8;

/** Starts `workers` (at least 1) decode threads for one slide. An unreadable slide shows at the first `readRegions`. */
export function createDecodePool(options: { readonly slidePath: string; readonly workers: number }): DecodePool {
  const members = Array.from({ length: Math.max(1, Math.floor(options.workers)) }, () => new Member(options.slidePath));
  return {
    workers: members.length,
    async readRegions(batch, signal) {
      const runs = splitRuns(batch, members.length);
      let next = 0;
      const drive = async (member: Member): Promise<void> => {
        while (next < runs.length) {
          throwIfCancelled(signal);
          const run = runs[next++];
          if (run !== undefined) await member.send(run);
        }
      };
      const results = await Promise.allSettled(members.map(drive));
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    },
    async close() {
      await Promise.all(members.map((member) => member.close()));
    },
  };
}

function splitRuns(batch: RegionBatch, workers: number): readonly RegionBatch[] {
  const regionBytes = batch.outWidthPx * batch.outHeightPx * 3;
  const length = Math.max(1, Math.min(RUN_REGIONS, Math.ceil(batch.regions.length / workers)));
  const runs: RegionBatch[] = [];
  for (let start = 0; start < batch.regions.length; start += length) {
    runs.push({
      ...batch,
      regions: batch.regions.slice(start, start + length),
      offset: batch.offset + start * regionBytes,
    });
  }
  return runs;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One worker thread and the batches it owes an answer. */
class Member {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #nextId = 0;
  #dead: AppError | null = null;

  constructor(slidePath: string) {
    this.#worker = new Worker(workerUrl('decode'), { workerData: { slidePath } });
    // An idle pool must not keep a finished command line alive.
    this.#worker.unref();
    this.#worker.on('message', (reply: DecodeReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#fail(String(error)));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#fail(`decode thread ended with ${code}`);
        resolve();
      });
    });
  }

  send(batch: RegionBatch): Promise<void> {
    if (this.#dead !== null) return Promise.reject(this.#dead);
    const request: DecodeRequest = { ...batch, id: this.#nextId++ };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  async close(): Promise<void> {
    if (this.#dead !== null) return;
    this.#worker.ref();
    this.#worker.postMessage('close');
    await this.#exited;
  }

  #settle(reply: DecodeReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (reply.error === null) waiting?.resolve();
    else waiting?.reject(fromErrorPayload(reply.error));
  }

  #fail(detail: string): void {
    this.#dead ??= new AppError('Internal', 'A thread that reads the slide stopped.', {
      advice: 'Open the slide again.',
      detail,
    });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#dead);
    this.#waiting.clear();
  }
}
