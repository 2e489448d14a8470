import { Worker } from 'node:worker_threads';
import { AppError, type ErrorPayload, fromErrorPayload } from '../../../../src-shared/errors.ts';
import { workerUrl } from '../../worker/worker-url.ts';
import { encodeTile, isGlass } from './encode-tile.ts';
import { halve, TILE_PX } from './pyramid.ts';
import { renderRegion } from './render-region.ts';
import { makeScene, type Scene, type SceneOptions } from './scene.ts';

/** A level-0 tile: its JPEG stream, and its pixels halved (null for empty glass). */
export interface MadeTile {
  readonly jpeg: Uint8Array;
  readonly half: Uint8Array | null;
}

/** What a rendering thread is told, and what it answers: a run of tiles in row-major order. */
export interface RenderTask {
  readonly first: number;
  readonly count: number;
}
export type RenderAnswer =
  | { readonly first: number; readonly tiles: readonly MadeTile[] }
  | { readonly first: number; readonly error: ErrorPayload };

/** Tiles of one task: long enough to make messages cheap, short enough to keep all threads busy to the end. */
const TILES_PER_TASK = 6;

/** Paints and encodes tile `index` (row-major) of level 0. */
export function makeTile(scene: Scene, index: number, quality: number): MadeTile {
  const columns = Math.ceil(scene.widthPx / TILE_PX);
  const x0Px = (index % columns) * TILE_PX;
  const y0Px = Math.floor(index / columns) * TILE_PX;
  const rgb = renderRegion(scene, x0Px, y0Px, TILE_PX, TILE_PX);
  return { jpeg: encodeTile(rgb, quality), half: isGlass(rgb) ? null : halve(rgb, TILE_PX, TILE_PX) };
}

/** All tiles of level 0 in row-major order, made on this thread or on `threads` others; the same bytes either way. */
export async function* makeTiles(options: SceneOptions, quality: number, threads: number): AsyncGenerator<MadeTile> {
  const total = Math.ceil(options.widthPx / TILE_PX) * Math.ceil(options.heightPx / TILE_PX);
  if (threads > 1) {
    yield* makeTilesOnThreads(options, quality, threads, total);
    return;
  }
  const scene = makeScene(options);
  for (let index = 0; index < total; index++) {
    // A breath between tiles, so that a cancel message is heard.
    await new Promise((resolve) => setImmediate(resolve));
    yield makeTile(scene, index, quality);
  }
}

async function* makeTilesOnThreads(
  options: SceneOptions,
  quality: number,
  threads: number,
  total: number,
): AsyncGenerator<MadeTile> {
  const workers = Array.from({ length: threads }, () => new RenderThread(options, quality));
  try {
    const waiting: Promise<readonly MadeTile[]>[] = [];
    let next = 0;
    const send = (): void => {
      if (next >= total) return;
      const worker = workers.reduce((least, other) => (other.pending < least.pending ? other : least));
      const count = Math.min(TILES_PER_TASK, total - next);
      const answer = worker.render({ first: next, count });
      // Answers are awaited in order; one that fails early must not count as unhandled meanwhile.
      answer.catch(() => undefined);
      waiting.push(answer);
      next += count;
    };
    for (let index = 0; index < threads * 3; index++) send();
    for (let answer = waiting.shift(); answer !== undefined; answer = waiting.shift()) {
      const tiles = await answer;
      send();
      yield* tiles;
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

/** One rendering thread and the tasks it has been sent. */
class RenderThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve(tiles: readonly MadeTile[]): void; reject(error: unknown): void }>();

  constructor(options: SceneOptions, quality: number) {
    this.#worker = new Worker(workerUrl('synthesize'), { workerData: { role: 'render', options, quality } });
    this.#worker.on('message', (answer: RenderAnswer) => {
      const task = this.#waiting.get(answer.first);
      this.#waiting.delete(answer.first);
      if ('error' in answer) task?.reject(fromErrorPayload(answer.error));
      else task?.resolve(answer.tiles);
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#fail(new Error(`rendering thread ended with code ${code}`)));
  }

  get pending(): number {
    return this.#waiting.size;
  }

  render(task: RenderTask): Promise<readonly MadeTile[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(task.first, { resolve, reject });
      this.#worker.postMessage(task);
    });
  }

  async stop(): Promise<void> {
    this.#waiting.clear();
    await this.#worker.terminate();
  }

  #fail(cause: unknown): void {
    const error = new AppError('Internal', 'A thread that paints the synthetic slide failed.', {
      advice: 'Try again, on fewer threads or at a smaller size.',
      cause,
    });
    for (const task of this.#waiting.values()) task.reject(error);
    this.#waiting.clear();
  }
}
