import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import { DEFAULT_GRID } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type Study, type StudyPlan } from '../../../src-shared/model/study.ts';
import type { CompareBackbone } from '../../engine/compare/contenders.ts';
import type { TruncatedBackbone } from '../../engine/compare/truncation.ts';
import type { Engine } from '../../engine/engine.ts';
import type { InferenceWorker } from '../../engine/infer/inference-worker.ts';
import { abortOnSignal } from '../abort-on-signal.ts';
import { chooseBackbone } from '../analysis/choose-backbone.ts';
import { awaitJob } from '../await-job.ts';
import { EXIT } from '../exit-codes.ts';
import { openEngine } from '../open-engine.ts';
import { storeFolder } from '../store-folder.ts';
import type { Terminal } from '../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from './command.ts';
import { nameList, splitCut } from './compare-names.ts';
import { makePlan, readStudyTable, type StudyTable } from './study/make-plan.ts';
import type { PlanOptions } from './study/plan-options.ts';

interface Options {
  readonly backbones: readonly string[];
  readonly tasks?: readonly string[];
  readonly out: string;
  readonly label?: string;
  readonly mpp: number;
  readonly tileUm: number;
  readonly slideMpp?: number;
  readonly folds: number;
  readonly seeds: number;
  readonly epochs: number;
  readonly store?: string;
  readonly threads: number;
}

/** `hyaline compare truncation`: every cut of some backbones, on slides and on patches, in one table with its cost. */
export function truncationCommand(finish: Finish): Command {
  const count = (low: number, high: number) => numberWithin(low, high, 'integer');
  const command = newCommand('truncation', 'every cut of backbones through attention pooling and probes, with its cost')
    .argument('<labels.csv>', 'table with slide_id (or wsi), a label column, case_id where patients are known')
    .requiredOption(
      '--backbones <names>',
      'names or .onnx files, separated by commas; @cut+cut takes some cuts',
      nameList,
    )
    .option('--tasks <paths>', 'patch tasks the same cuts are probed on, separated by commas', nameList)
    .requiredOption('--out <folder>', 'where the table and its figure go')
    .option('--label <column>', 'label column, where the table has several')
    .option('--mpp <µm>', 'resolution the model sees, µm per pixel', numberWithin(0.05, 50), DEFAULT_GRID.mpp)
    .option('--tile-um <µm>', 'side of a tile', numberWithin(4, 10_000), DEFAULT_GRID.tileUm)
    .option('--slide-mpp <µm>', 'pixel size of slides that do not state it', numberWithin(0.01, 100))
    .option('--folds <number>', 'folds of the cross-validation', count(3, 20), 5)
    .option('--seeds <number>', 'trainings per fold', count(1, 20), 5)
    .option('--epochs <number>', 'passes over the training part', count(1, 1000), DEFAULT_STUDY_TRAINING.epochs)
    .option(...STORE_OPTION)
    .option('--threads <number>', 'threads for the model; 0 = all cores', count(0, 1024), 0);
  return runs<Options>(command, finish, truncate);
}

async function truncate(options: Options, terminal: Terminal, [labels = '']: readonly string[]): Promise<number> {
  const { truncationMarkdown, truncationStudy, writeTruncation } = await import('../../engine/compare/truncation.ts');
  const { InferenceWorker } = await import('../../engine/infer/inference-worker.ts');
  const table = await readStudyTable(labels, planOptions(options, options.backbones[0] ?? ''));
  const study = await abortOnSignal(async (signal) => {
    const slides = await trainAll(options, table, terminal, signal);
    const worker = new InferenceWorker();
    try {
      const patches = await probeAll(options, slides.backbones, worker, terminal, signal);
      const truncated: TruncatedBackbone[] = [];
      for (const [b, backbone] of slides.backbones.entries()) {
        const msPerTile = await costOf(backbone, worker, options.threads);
        truncated.push({ backbone, msPerTile, studies: slides.studies[b] ?? [] });
      }
      return truncationStudy(truncated, slides.tilesPerSlide, patches);
    } finally {
      await worker.close();
    }
  });
  const folder = resolve(options.out);
  const files = await writeTruncation(study, folder);
  terminal.printJson({ folder, files, study });
  terminal.print(truncationMarkdown(study));
  terminal.print(`${folder}: ${files.join(', ')}`);
  return EXIT.ok;
}

interface SlideStudies {
  readonly backbones: readonly CompareBackbone[];
  /** By backbone, then by cut. */
  readonly studies: readonly (readonly Study[])[];
  readonly tilesPerSlide: number;
}

/** Features of all cuts of a backbone in one pass over the slides, then a study of each. */
async function trainAll(
  options: Options,
  table: StudyTable,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<SlideStudies> {
  const folder = storeFolder(options.store);
  const engine = await openEngine(folder, options.threads);
  try {
    const backbones: CompareBackbone[] = [];
    const studies: Study[][] = [];
    let tilesPerSlide = 0;
    for (const text of options.backbones) {
      const backbone = await chosen(engine, folder, text);
      const plan = await makePlan(engine, table, planOptions(options, backbone.card.name));
      tilesPerSlide = await extractAll(engine, plan, backbone, terminal, signal);
      const own: Study[] = [];
      for (const cut of backbone.cuts) {
        own.push(await trainOne(engine, { ...plan, cut: cut.name }, backbone, terminal, signal));
      }
      backbones.push(backbone);
      studies.push(own);
    }
    return { backbones, studies, tilesPerSlide };
  } finally {
    await engine.close();
  }
}

/** All cuts with parameters, unless some are named. */
async function chosen(engine: Engine, folder: string, text: string): Promise<CompareBackbone> {
  const { chooseCuts } = await import('../../engine/compare/contenders.ts');
  const { backbonePath } = await import('../../engine/backbone/registry.ts');
  const { name, cuts } = splitCut(text);
  const card = await chooseBackbone(engine, name);
  const modelPath = backbonePath(join(folder, 'backbones'), card.id);
  return { card, modelPath, cuts: chooseCuts(card, cuts ?? 'all') };
}

/** Returns the mean number of tiles of a slide. */
async function extractAll(
  engine: Engine,
  { rows, grid, tissue }: StudyPlan,
  { card, cuts }: CompareBackbone,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const { forecast, jobs } = await engine.api.startExtraction({
    slideIds: rows.map(({ slideId }) => slideId),
    targets: cuts.map(({ name }) => ({ backboneId: card.id, cut: name })),
    ...{ grid, tissue, precision: 'float32', stain: null },
  });
  const bar = terminal.progress(`Features of ${card.name}`);
  try {
    for (const { jobId } of jobs) {
      if (jobId !== null) await awaitJob(engine, jobId, ({ progress }) => bar.update(progress), signal);
    }
  } finally {
    bar.stop();
  }
  return forecast.slides.reduce((sum, { tileCount }) => sum + tileCount, 0) / Math.max(1, forecast.slides.length);
}

async function trainOne(
  engine: Engine,
  plan: StudyPlan,
  { card }: CompareBackbone,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Study> {
  const name = `${card.name}@${plan.cut ?? ''}`;
  const { id } = await engine.api.createStudy({ ...plan, name: `truncation: ${name}`, backboneId: card.id });
  const { jobId } = await engine.api.trainStudy(id);
  const bar = terminal.progress(name);
  await awaitJob(engine, jobId, ({ progress }) => bar.update(progress), signal).finally(() => bar.stop());
  return await engine.api.getStudy(id);
}

async function probeAll(
  { tasks: paths, out, threads }: Options,
  backbones: readonly CompareBackbone[],
  worker: InferenceWorker,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Comparison | null> {
  if (paths === undefined) return null;
  const { readTasks } = await import('../../engine/compare/read-tasks.ts');
  const { compareBackbones } = await import('../../engine/compare/compare.ts');
  const { FeatureCache } = await import('../../engine/compare/feature-cache.ts');
  const { tasks, skipped } = await readTasks(paths, {});
  const cache = join(resolve(out), 'cache');
  await mkdir(cache, { recursive: true });
  const bar = terminal.progress('probes');
  try {
    return await compareBackbones({
      ...{ tasks, skipped, backbones, probe: 'svm', standardise: true, seeds: [1], twinSeeds: [], resamples: 1000 },
      ...{ tolerance: 0.01, ckaImages: 0, robustnessImages: 0, twinsFolder: join(cache, 'twins') },
      bench: {
        ...{ worker, threads, signal, cache: new FeatureCache(join(cache, 'features')) },
        onProgress: (stage, done, total, unit) =>
          bar.update({ stage, done, total, unit, perSecond: null, secondsLeft: null }),
      },
    });
  } finally {
    bar.stop();
  }
}

async function costOf(
  { card, modelPath, cuts }: CompareBackbone,
  worker: InferenceWorker,
  threads: number,
): Promise<readonly number[]> {
  const { measureMsPerImage } = await import('../../engine/compare/patch-features.ts');
  const msPerTile: number[] = [];
  for (const cut of cuts) msPerTile.push(await measureMsPerImage(worker, modelPath, card, cut, threads));
  return msPerTile;
}

/** A study as `hyaline study` plans it, HistoTransfer's recipe. */
function planOptions(options: Options, backbone: string): PlanOptions {
  const { label, slideMpp, store } = options;
  return {
    ...{ backbone: splitCut(backbone).name, name: 'truncation', pooling: 'histotransfer', gated: false, repeats: 1 },
    ...{ mpp: options.mpp, tileUm: options.tileUm, minTissue: DEFAULT_GRID.minTissueFraction, folds: options.folds },
    ...{
      groupBy: 'patient',
      onlyValidate: false,
      point: { kind: 'youden' },
      splitSeed: 1,
      seeds: options.seeds,
      epochs: options.epochs,
    },
    ...{ tileDropout: 0, featureDropout: 0, entropy: 0, threads: options.threads },
    ...(label === undefined ? {} : { label }),
    ...(slideMpp === undefined ? {} : { slideMpp }),
    ...(store === undefined ? {} : { store }),
  };
}
