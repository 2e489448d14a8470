import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { CompareBackbone } from '../../../engine/compare/contenders.ts';
import type { CohortBackboneReport, CohortReport } from '../../../engine/proof/cohort-report.ts';
import type { CohortSpec, CohortTiles } from '../../../engine/proof/cohort-slides.ts';
import { abortOnSignal } from '../../abort-on-signal.ts';
import { EXIT } from '../../exit-codes.ts';
import { formatDuration, type ProgressBar, type Terminal } from '../../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from '../command.ts';
import { CONTROL_BACKBONE, chooseProofBackbones, collect, list, proofRecipes, seedList } from './shared.ts';

interface Options {
  readonly backbone: readonly string[];
  readonly slides: number;
  readonly side: number;
  readonly seed: number;
  readonly seeds: readonly number[];
  readonly candidates: readonly string[];
  readonly resamples: number;
  readonly out: string;
  readonly store?: string;
  readonly threads: number;
}

const MPP_UM = 0.5;
const CANDIDATES = ['steady', 'steady-tiles', 'tiles'];

export function cohortBenchCommand(finish: Finish): Command {
  const whole = (low: number, high: number) => numberWithin(low, high, 'integer');
  const command = newCommand('cohort', 'synthetic slides with planted lesions: does the map find them by slide labels?')
    .option('--backbone <name>', 'name or .onnx file; may be repeated', collect, [])
    .option('--slides <number>', 'slides, every second one with lesions', whole(12, 1000), 24)
    .option('--side <px>', 'width and height of a slide', whole(1000, 20_000), 4000)
    .option('--seed <number>', 'seed of the slides', whole(0, 2 ** 31 - 1), 1)
    .option('--seeds <numbers>', 'seeds of the heads, separated by commas', seedList, [1, 2, 3, 4, 5])
    .option('--candidates <names>', 'trainings to choose between, separated by commas', list, CANDIDATES)
    .option('--resamples <number>', 'draws of the slides for intervals', whole(100, 100_000), 1000)
    .requiredOption('--out <folder>', 'where report.json and report.md go; slides are kept in its slides/')
    .option(...STORE_OPTION)
    .option('--threads <number>', 'threads; 0 = all cores', whole(0, 1024), 0);
  return runs<Options>(command, finish, async (options, terminal) => {
    const report = await abortOnSignal((signal) => measure(options, terminal, signal));
    const { cohortReportMarkdown } = await import('../../../engine/proof/cohort-report.ts');
    const text = cohortReportMarkdown(report);
    const out = resolve(options.out);
    await mkdir(out, { recursive: true });
    await writeFile(join(out, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
    await writeFile(join(out, 'report.md'), text);
    terminal.printJson(report);
    terminal.print(text);
    terminal.note(`Measured in ${formatDuration(report.seconds)}.`);
    return EXIT.ok;
  });
}

async function measure(options: Options, terminal: Terminal, signal: AbortSignal): Promise<CohortReport> {
  const startedMs = performance.now();
  const { LESION_SHARE, proveCohort } = await import('../../../engine/proof/cohort-proof.ts');
  const { choose } = await import('../../../engine/proof/choose.ts');
  const { versions } = await import('../../../engine/service/versions.ts');
  const recipes = await proofRecipes(options.candidates);
  const spec: CohortSpec = { slides: options.slides, sidePx: options.side, mppUm: MPP_UM, seed: options.seed };
  const backbones = await chooseProofBackbones(options.backbone, options);
  const bar = terminal.progress('cohort');
  try {
    const cohort = await readCohort(spec, backbones, options, bar, signal);
    const reports: CohortBackboneReport[] = [];
    for (const [b, { card, cuts }] of backbones.entries()) {
      const cut = cuts[0];
      if (cut === undefined) continue;
      const threads = threadsOf(options);
      const { seeds, resamples } = options;
      const onDone = (done: number, total: number): void => show(bar, `training on ${card.name}`, done, total);
      const plan = { recipes, seeds, resamples, threads };
      const results = await proveCohort(cohort, b, cut.featureDim, plan, { signal, onDone });
      reports.push({
        ...{ backbone: card.name, sha256: card.id, cut: cut.name, featureDim: cut.featureDim },
        ...{ control: card.name === CONTROL_BACKBONE, recipes: results, chosen: choose(results) },
      });
    }
    const inPart = (part: string): CohortTiles[] => cohort.filter(({ slide }) => slide.part === part);
    const lesions = inPart('test').flatMap(({ lesionShare }) => [...lesionShare].filter((it) => it >= LESION_SHARE));
    return {
      cohort: spec,
      slides: { train: inPart('train').length, validation: inPart('validation').length, test: inPart('test').length },
      tiles: cohort.reduce((sum, { laid }) => sum + laid.grid.tileCount, 0),
      ...{ lesionTiles: lesions.length, lesionShare: LESION_SHARE, seeds: options.seeds, resamples: options.resamples },
      ...{ backbones: reports, versions: versions(), seconds: (performance.now() - startedMs) / 1000 },
    };
  } finally {
    bar.stop();
  }
}

async function readCohort(
  spec: CohortSpec,
  backbones: readonly CompareBackbone[],
  options: Options,
  bar: ProgressBar,
  signal: AbortSignal,
): Promise<readonly CohortTiles[]> {
  const { cohortTiles, writeCohort } = await import('../../../engine/proof/cohort-slides.ts');
  const { InferenceWorker } = await import('../../../engine/infer/inference-worker.ts');
  const folder = join(resolve(options.out), 'slides');
  const onDone = (done: number): void => show(bar, 'painting slides', done, spec.slides);
  const slides = await writeCohort(spec, folder, threadsOf(options), { signal, onDone });
  const worker = new InferenceWorker();
  try {
    const cohort: CohortTiles[] = [];
    for (const slide of slides) {
      const { threads } = options;
      cohort.push(await cohortTiles(slide, { backbones, worker, threads, mppUm: spec.mppUm, signal }));
      show(bar, 'features of slides', cohort.length, slides.length);
    }
    return cohort;
  } finally {
    await worker.close();
  }
}

const threadsOf = ({ threads }: Options): number => (threads === 0 ? availableParallelism() : threads);

function show(bar: ProgressBar, stage: string, done: number, total: number): void {
  bar.update({ stage, done, total, perSecond: null, secondsLeft: null });
}
