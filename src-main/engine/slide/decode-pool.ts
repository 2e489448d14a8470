import { Worker } from 'node:worker_threads';
import { AppError, fromErrorPayload } from '../../../src-shared/errors.ts';
import type { StainNormalisation } from '../../../src-shared/model/stain.ts';
import { workerUrl } from '../worker/worker-url.ts';
import type { BatchRegion, DecodeReply, DecodeRequest, RegionBatch } from './region-batch.ts';
import { throwIfCancelled } from './slide-errors.ts';

/** Worker threads that read regions of one slide into shared memory. */
export interface DecodePool {
  readonly workers: number;
  /**
   * Reads all regions, each worker its own columns of the slide (so that neighbours, above each other too, share
   * decoded tiles), idle ones helping the others. Resolves when every byte is in place. Throws as `SlideSource.readRegion`, Cancelled where the signal fires before all runs are sent.
   */
  readRegions(batch: RegionBatch, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface DecodePoolOptions {
  readonly slidePath: string;
  readonly workers: number;
  /** Where given, every region is repainted so, on the thread that reads it. */
  readonly stain?: StainNormalisation;
}

/** Regions sent to a worker at a time: small enough to balance the workers and to cancel soon. */
const RUN_REGIONS = 8;
/** Width of a worker's columns in regions: wide enough that few tiles lie on a border and are decoded twice. */
const BAND_REGIONS = 8;

/** Starts `workers` (at least 1) decode threads for one slide. An unreadable slide shows at the first `readRegions`. */
export function createDecodePool(options: DecodePoolOptions): DecodePool {
  const members = Array.from({ length: Math.max(1, Math.floor(options.workers)) }, () => new Member(options));
  return {
    workers: members.length,
    async readRegions(batch, signal) {
      const queues = queuesOf(batch, members.length);
      const drive = async (member: Member, own: number): Promise<void> => {
        for (let run = takeRun(queues, own); run !== null; run = takeRun(queues, own)) {
          throwIfCancelled(signal);
          await member.send(run);
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

type Run = Omit<DecodeRequest, 'id'>;

/** The runs of each worker. Regions keep their places in the output by their slots. */
function queuesOf(batch: RegionBatch, workers: number): Run[][] {
  const bands = new Map<number, number[]>();
  for (const [slot, { x0Px, widthLevel0Px }] of batch.regions.entries()) {
    const band = Math.floor(x0Px / (widthLevel0Px * BAND_REGIONS));
    const slots = bands.get(band);
    if (slots === undefined) bands.set(band, [slot]);
    else slots.push(slot);
  }
  const queues: Run[][] = Array.from({ length: workers }, () => []);
  const runLength = Math.max(1, Math.min(RUN_REGIONS, Math.ceil(batch.regions.length / workers)));
  for (const [band, slots] of bands) {
    const queue = queues[((band % workers) + workers) % workers];
    for (let start = 0; start < slots.length; start += runLength) {
      const run = slots.slice(start, start + runLength);
      queue?.push({ ...batch, regions: run.map((slot) => batch.regions[slot] as BatchRegion), slots: run });
    }
  }
  return queues;
}

/** The next run of the worker's own queue; when that is empty, the last of the longest other one. */
function takeRun(queues: readonly Run[][], own: number): Run | null {
  const mine = queues[own]?.shift();
  if (mine !== undefined) return mine;
  const longest = queues.toSorted((a, b) => b.length - a.length)[0];
  return longest?.pop() ?? null;
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

  constructor({ slidePath, stain }: DecodePoolOptions) {
    this.#worker = new Worker(workerUrl('decode'), { workerData: { slidePath, stain } });
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

  send(run: Run): Promise<void> {
    if (this.#dead !== null) return Promise.reject(this.#dead);
    const request: DecodeRequest = { ...run, id: this.#nextId++ };
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
