import { parentPort } from 'node:worker_threads';
import { type ErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import type {
  ComparisonCell,
  ComparisonSettings,
  TaskFingerprint,
} from '../../../src-shared/model/comparison-record.ts';
import { compareBackbones } from '../compare/compare.ts';
import { chooseCuts } from '../compare/contenders.ts';
import { FeatureCache } from '../compare/feature-cache.ts';
import { readTasks } from '../compare/read-tasks.ts';
import { drawSlideTiles, type SlideTiles } from '../compare/slide-tiles.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';
import type { ProgressReport } from '../job/progress.ts';
import { cellsOf } from '../service/comparison-cells.ts';
import { fingerprintOf } from '../service/task-fingerprint.ts';
import type { ComparedTask } from '../store/store.ts';

/** A comparison to compute, JSON-safe. */
export interface CompareWork {
  readonly paths: readonly string[];
  readonly backbones: readonly {
    readonly card: BackboneCard;
    readonly modelPath: string;
    /** Empty = up to four spread over the depth. */
    readonly cuts: readonly string[];
  }[];
  /** Whose maps are shifted too; µm per pixel where the user gave it. */
  readonly slides: readonly { readonly path: string; readonly mppUm: number | null }[];
  readonly settings: ComparisonSettings;
  /** Features and random twins are kept here from one comparison to the next. */
  readonly cacheFolder: string;
  /** Of the network; 0 = all cores. */
  readonly threads: number;
}

export type CompareCommand = { readonly type: 'compare'; readonly work: CompareWork } | { readonly type: 'cancel' };

/** A comparison with everything that is stored of it. */
export interface CompareOutcome {
  readonly result: Comparison;
  readonly fingerprints: readonly TaskFingerprint[];
  readonly tasks: readonly ComparedTask[];
  readonly cells: readonly ComparisonCell[];
}

export type CompareAnswer =
  | ({ readonly type: 'progress' } & ProgressReport)
  | { readonly type: 'done'; readonly outcome: CompareOutcome }
  | { readonly type: 'failed'; readonly error: ErrorPayload };

/** A rank correlation over fewer tiles of a slide says little, and is refused. */
const FEWEST_SLIDE_TILES = 16;

const port = parentPort;
const cancel = new AbortController();
const answer = (message: CompareAnswer): void => port?.postMessage(message);

port?.on('message', (command: CompareCommand) => {
  if (command.type === 'cancel') cancel.abort();
  else
    void compare(command.work).then((last) => {
      answer(last);
      port?.close();
    });
});

/** One comparison; then the thread ends. Settles after the inference thread has let go of its sessions. */
async function compare({
  paths,
  backbones,
  slides,
  settings,
  cacheFolder,
  threads,
}: CompareWork): Promise<CompareAnswer> {
  const worker = new InferenceWorker();
  const drawn: SlideTiles[] = [];
  try {
    answer({ type: 'progress', stage: 'Reading the tasks', done: 0, total: 0 });
    const { ungrouped, crossValidate, twins, groupPattern, ...judged } = settings;
    const { tasks, skipped } = await readTasks(paths, {
      ...{ ungrouped, crossValidate },
      groupPattern: groupPattern === undefined ? null : new RegExp(groupPattern),
    });
    const cells: ComparisonCell[] = [];
    for (const [i, { path, mppUm }] of slides.entries()) {
      answer({ type: 'progress', stage: 'Drawing tiles of the slides', done: i, total: slides.length, unit: 'slides' });
      // Numbered, not named: what is exported does not say whose slide it is.
      drawn.push(
        await drawSlideTiles(
          path,
          `slide ${i + 1}`,
          mppUm,
          Math.max(FEWEST_SLIDE_TILES, settings.robustnessImages),
          cancel.signal,
        ),
      );
    }
    const result = await compareBackbones({
      ...judged,
      ...{ tasks, skipped, slides: drawn },
      backbones: backbones.map(({ card, modelPath, cuts }) => {
        return { card, modelPath, cuts: chooseCuts(card, cuts.length === 0 ? null : cuts.join('+')) };
      }),
      twinSeeds: Array.from({ length: twins }, (_, i) => i + 1),
      twinsFolder: `${cacheFolder}/twins`,
      bench: {
        ...{ worker, cache: new FeatureCache(`${cacheFolder}/features`), threads, signal: cancel.signal },
        onProgress: (stage, done, total, unit) => answer({ type: 'progress', stage, done, total, unit }),
      },
      onJudged: (of) => cells.push(...cellsOf(of)),
    });
    const images = tasks.map(({ name, images: all }) => {
      return { task: name, images: all.map(({ sha256, path }) => ({ sha256, path })) };
    });
    return { type: 'done', outcome: { result, fingerprints: tasks.map(fingerprintOf), tasks: images, cells } };
  } catch (error) {
    return { type: 'failed', error: toErrorPayload(error) };
  } finally {
    await Promise.allSettled([worker.close(), ...drawn.map((tiles) => tiles.close())]);
  }
}
