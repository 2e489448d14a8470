import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { toErrorPayload } from '../../../src-shared/errors.ts';
import { makeScene, type SceneOptions } from '../slide/synthetic/scene.ts';
import type { SynthesizeMessage } from '../slide/synthetic/synthesize-in-worker.ts';
import { makeTile, type RenderAnswer, type RenderTask } from '../slide/synthetic/tile-factory.ts';
import { type SyntheticOptions, writeSynthetic } from '../slide/synthetic/write-synthetic.ts';

/** The thread that writes a synthetic slide, and the threads it has tiles painted on: one entry, two roles. */
type Role =
  | { readonly role: 'write'; readonly options: SyntheticOptions }
  | { readonly role: 'render'; readonly options: SceneOptions; readonly quality: number };

const PROGRESS_EVERY_MS = 100;

function renderTiles(port: MessagePort, options: SceneOptions, quality: number): void {
  const scene = makeScene(options);
  port.on('message', ({ first, count }: RenderTask) => {
    let answer: RenderAnswer;
    try {
      answer = { first, tiles: Array.from({ length: count }, (_, index) => makeTile(scene, first + index, quality)) };
    } catch (error) {
      answer = { first, error: toErrorPayload(error) };
    }
    port.postMessage(answer);
  });
}

async function write(port: MessagePort, options: SyntheticOptions): Promise<void> {
  const say = (message: SynthesizeMessage): void => port.postMessage(message);
  const abort = new AbortController();
  port.on('message', (message) => {
    if (message === 'cancel') abort.abort();
  });
  let saidAt = 0;
  try {
    const onProgress = (done: number, total: number): void => {
      const now = performance.now();
      if (done < total && now - saidAt < PROGRESS_EVERY_MS) return;
      saidAt = now;
      say({ type: 'progress', done, total });
    };
    say({ type: 'done', result: await writeSynthetic({ ...options, onProgress, signal: abort.signal }) });
  } catch (error) {
    say({ type: 'failed', error: toErrorPayload(error) });
  } finally {
    port.close();
  }
}

if (parentPort !== null) {
  const task = workerData as Role;
  if (task.role === 'render') renderTiles(parentPort, task.options, task.quality);
  else void write(parentPort, task.options);
}
