import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineEvent } from '../../../src-shared/api/events.ts';
import type { JobId } from '../../../src-shared/model/ids.ts';
import type { Slide } from '../../../src-shared/model/slide.ts';
import type { JobQueue, JobRunner } from '../job/queue.ts';
import { DEMO_FILE_NAME, DEMO_SLIDE } from '../slide/synthetic/demo.ts';
import { synthesizeInWorker } from '../slide/synthetic/synthesize-in-worker.ts';
import type { SlideLibrary } from './slide-library.ts';

/** The demo slide: synthetic, made once in the store's folder, then opened like any other. */
export class DemoService {
  readonly #folder: string;
  readonly #library: SlideLibrary;
  readonly #emit: (event: EngineEvent) => void;

  constructor(folder: string, library: SlideLibrary, emit: (event: EngineEvent) => void) {
    this.#folder = folder;
    this.#library = library;
    this.#emit = emit;
  }

  readonly runner: JobRunner = {
    lane: 'demo',
    resumable: true,
    run: async (_payload, context) => {
      await mkdir(this.#folder, { recursive: true });
      await synthesizeInWorker({
        ...DEMO_SLIDE,
        outPath: this.#path,
        signal: context.signal,
        onProgress: (done, total) => context.report({ stage: 'Drawing the demo slide', done, total, unit: 'tiles' }),
      });
      await this.#library.add(this.#path, true);
      this.#emit({ type: 'library-changed' });
    },
  };

  /** The slide where it is there already, else the job that makes it. */
  async open(queue: JobQueue): Promise<{ readonly slide: Slide | null; readonly jobId: JobId | null }> {
    if ((await stat(this.#path).catch(() => null)) !== null) {
      return { slide: await this.#library.add(this.#path, true), jobId: null };
    }
    const running = queue.list().find((job) => job.kind === 'demo-slide' && isActive(job.state));
    if (running !== undefined) return { slide: null, jobId: running.id };
    const title = 'Demo slide';
    const job = await queue.enqueue({ kind: 'demo-slide', title, slideId: null, runId: null, payload: null });
    return { slide: null, jobId: job.id };
  }

  get #path(): string {
    return join(this.#folder, DEMO_FILE_NAME);
  }
}

const isActive = (state: string): boolean => state === 'queued' || state === 'running';
