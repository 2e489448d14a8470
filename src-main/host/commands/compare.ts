import { mkdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import type { ProgressUnit } from '../../../src-shared/model/job.ts';
import type { CompareBackbone } from '../../engine/compare/contenders.ts';
import type { SlideTiles } from '../../engine/compare/slide-tiles.ts';
import { abortOnSignal } from '../abort-on-signal.ts';
import { chooseBackbone } from '../analysis/choose-backbone.ts';
import { EXIT } from '../exit-codes.ts';
import { openEngine } from '../open-engine.ts';
import { storeFolder } from '../store-folder.ts';
import { formatDuration, type Terminal } from '../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from './command.ts';
import { nameList, splitCut } from './compare-names.ts';
import { truncationCommand } from './compare-truncation.ts';

interface Options {
  readonly tasks: readonly string[];
  readonly backbones: readonly string[];
  readonly out: string;
  readonly probe: Comparison['probe'];
  readonly seeds: readonly number[];
  readonly twins: number;
  readonly rawFeatures: boolean;
  readonly resamples: number;
  readonly tolerance: number;
  readonly ckaImages: number;
  readonly robustness: number;
  readonly maps: readonly string[];
  readonly mapTiles: number;
  readonly slideMpp?: number;
  readonly groupPattern?: RegExp;
  readonly ungrouped: readonly string[];
  readonly crossValidate: boolean;
  readonly store?: string;
  readonly threads: number;
}

/** As commander gives them: nothing is required before a command within this one is ruled out. */
type GivenOptions = Omit<Options, 'tasks' | 'backbones' | 'out'> &
  Partial<Pick<Options, 'tasks' | 'backbones' | 'out'>>;

export function compareCommand(finish: Finish): Command {
  const whole = (low: number, high: number) => numberWithin(low, high, 'integer');
  const command = newCommand('compare', 'judge backbones, cut by cut, on patch tasks, with controls and tests')
    .option('--tasks <paths>', 'folders or tables of patch tasks, separated by commas', nameList)
    .option('--backbones <names>', 'names or .onnx files, separated by commas; add @cut+cut, or @all', nameList)
    .option('--out <folder>', 'where tables and figures go; features are kept in its cache/')
    .option('--probe <kind>', 'svm, logistic or knn', oneOf(['svm', 'logistic', 'knn'] as const), 'svm')
    .option(
      '--raw-features',
      'features as they are, as the papers take them (else standardised by training part)',
      false,
    )
    .option('--seeds <numbers>', 'seeds of the folds, separated by commas', seeds, [1])
    .option('--twins <number>', 'random twins of each trained backbone', whole(0, 20), 3)
    .option('--resamples <number>', 'of the bootstrap', whole(100, 100_000), 1000)
    .option('--tolerance <0..1>', 'how much worse than the best the sweet spot may be', numberWithin(0, 1), 0.01)
    .option('--cka-images <number>', 'images CKA is computed on; 0 = no CKA', whole(0, 100_000), 256)
    .option(
      '--robustness <images>',
      'test images of each task to shift in stain, focus, JPEG, angle, scale; 0 = none',
      whole(0, 10_000),
      0,
    )
    .option(
      '--maps <slides>',
      'slides whose similarity maps are put under the same shifts, separated by commas',
      nameList,
      [],
    )
    .option('--map-tiles <number>', 'tiles drawn of each of them', whole(10, 10_000), 64)
    .option('--slide-mpp <µm>', 'pixel size of slides that do not state it', numberWithin(0.01, 100))
    .option('--group-pattern <regex>', 'group of images without one: the first bracket found in the file name', pattern)
    .option('--ungrouped <tasks>', 'tasks whose groups are no patients, separated by commas', nameList, [])
    .option('--cross-validate', 'do not use the parts tasks bring along', false)
    .option(...STORE_OPTION)
    .option('--threads <number>', 'threads for the model; 0 = all cores', whole(0, 1024), 0);
  // What is required here is so only where no command within is called.
  command.enablePositionalOptions();
  command.addCommand(truncationCommand(finish));
  return runs<GivenOptions>(command, finish, async (options, terminal) => {
    const { tasks, backbones, out } = options;
    if (tasks === undefined || backbones === undefined || out === undefined) {
      const missing = Object.entries({ tasks, backbones, out }).find(([, value]) => value === undefined);
      return command.error(`error: required option '--${missing?.[0]}' not specified`, { exitCode: EXIT.usage });
    }
    return await compare({ ...options, tasks, backbones, out }, terminal);
  });
}

async function compare(options: Options, terminal: Terminal): Promise<number> {
  const comparison = await abortOnSignal((signal) => runComparison(options, terminal, signal));
  const { writeComparison } = await import('../../engine/compare/write-comparison.ts');
  const { comparisonMarkdown } = await import('../../engine/compare/markdown.ts');
  const out = resolve(options.out);
  const files = await writeComparison(comparison, out);
  terminal.printJson({ folder: out, files, comparison });
  terminal.print(comparisonMarkdown(comparison));
  terminal.print(`${out}: ${files.join(', ')}`);
  for (const { name, reason } of comparison.skipped) terminal.note(`Left out: ${name}. ${reason}`);
  terminal.note(`Compared in ${formatDuration(comparison.seconds)}.`);
  return EXIT.ok;
}

async function runComparison(options: Options, terminal: Terminal, signal: AbortSignal): Promise<Comparison> {
  const { readTasks } = await import('../../engine/compare/read-tasks.ts');
  const { compareBackbones } = await import('../../engine/compare/compare.ts');
  const { drawSlideTiles } = await import('../../engine/compare/slide-tiles.ts');
  const { FeatureCache } = await import('../../engine/compare/feature-cache.ts');
  const { InferenceWorker } = await import('../../engine/infer/inference-worker.ts');
  const { ungrouped, crossValidate, groupPattern = null } = options;
  const { tasks, skipped } = await readTasks(options.tasks, { ungrouped, crossValidate, groupPattern });
  const backbones = await chooseBackbones(options);
  const cacheFolder = join(resolve(options.out), 'cache');
  await mkdir(cacheFolder, { recursive: true });
  const worker = new InferenceWorker();
  const bar = terminal.progress('compare');
  const onProgress = (stage: string, done: number, total: number, unit: ProgressUnit): void =>
    bar.update({ stage, done, total, unit, perSecond: null, secondsLeft: null });
  const slides: SlideTiles[] = [];
  try {
    for (const path of options.maps) {
      slides.push(
        await drawSlideTiles(resolve(path), basename(path), options.slideMpp ?? null, options.mapTiles, signal),
      );
    }
    const { probe, rawFeatures, resamples, tolerance, ckaImages, threads } = options;
    return await compareBackbones({
      ...{ tasks, skipped, backbones, probe, resamples, tolerance, ckaImages, seeds: options.seeds },
      standardise: !rawFeatures,
      robustnessImages: options.robustness,
      slides,
      twinSeeds: Array.from({ length: options.twins }, (_, i) => i + 1),
      twinsFolder: join(cacheFolder, 'twins'),
      bench: { worker, cache: new FeatureCache(join(cacheFolder, 'features')), threads, signal, onProgress },
    });
  } finally {
    bar.stop();
    for (const slide of slides) await slide.close();
    await worker.close();
  }
}

/** Registers model files on the way; the store is closed again before the long work begins. */
async function chooseBackbones({ backbones, store, threads }: Options): Promise<readonly CompareBackbone[]> {
  const { chooseCuts } = await import('../../engine/compare/contenders.ts');
  const { backbonePath } = await import('../../engine/backbone/registry.ts');
  const folder = storeFolder(store);
  const engine = await openEngine(folder, threads);
  try {
    const chosen: CompareBackbone[] = [];
    for (const text of backbones) {
      const { name, cuts } = splitCut(text);
      const card = await chooseBackbone(engine, name);
      chosen.push({ card, modelPath: backbonePath(join(folder, 'backbones'), card.id), cuts: chooseCuts(card, cuts) });
    }
    return chosen;
  } finally {
    await engine.close();
  }
}

function seeds(text: string): readonly number[] {
  const numbers = nameList(text).map(numberWithin(0, 2 ** 31 - 1, 'integer'));
  if (new Set(numbers).size < numbers.length) throw new InvalidArgumentError('A seed occurs twice.');
  return numbers;
}

function oneOf<T extends string>(allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const found = allowed.find((name) => name === text);
    if (found === undefined) throw new InvalidArgumentError(`It must be one of ${allowed.join(', ')}.`);
    return found;
  };
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new InvalidArgumentError('It is not a regular expression.');
  }
}
