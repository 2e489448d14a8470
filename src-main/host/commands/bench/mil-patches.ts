import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { AppError } from '../../../../src-shared/errors.ts';
import type { CompareBackbone } from '../../../engine/compare/contenders.ts';
import type { BackboneProof, PatchProofReport } from '../../../engine/proof/patch-report.ts';
import type { PatchSplit } from '../../../engine/proof/patch-tiles.ts';
import type { ProofRecipe } from '../../../engine/proof/recipes.ts';
import { abortOnSignal } from '../../abort-on-signal.ts';
import { EXIT } from '../../exit-codes.ts';
import { formatDuration, type Terminal } from '../../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from '../command.ts';
import { CONTROL_BACKBONE, chooseProofBackbones, collect, list, proofRecipes, seedList } from './shared.ts';

interface Options {
  readonly data: string;
  readonly positive: string;
  readonly negative: string;
  readonly backbone: readonly string[];
  readonly control: boolean;
  readonly parts: 'own' | 'anew';
  readonly seeds: readonly number[];
  readonly bags: number;
  readonly tiles: number;
  readonly epochs?: number;
  readonly candidates: readonly string[];
  readonly testBags: number;
  readonly resamples: number;
  readonly out: string;
  readonly store?: string;
  readonly threads: number;
}

/** How far below the supervised probe the tile AUC may stay. */
const AIM = 0.03;
const VALIDATION_SHARE = 0.25;
const CANDIDATES = ['steady-tiles', 'tiles', 'tiles-relabelled'];

export function patchesBenchCommand(finish: Finish): Command {
  const whole = (low: number, high: number) => numberWithin(low, high, 'integer');
  const command = newCommand('patches', 'bags made of labelled patches: are the patches found by the labels of bags?')
    .requiredOption('--data <folder>', 'a patch data set with a train and a val part')
    .requiredOption('--positive <class>', 'class that makes a bag positive')
    .requiredOption('--negative <class>', 'class of all other tiles')
    .option('--backbone <name>', 'name or .onnx file; may be repeated', collect, [])
    .option('--no-control', 'leave out the network of random weights')
    .addOption(
      new Option('--parts <how>', 'own: as the data set has them; anew: both dealt out again (optimistic)')
        .choices(['own', 'anew'])
        .default('own'),
    )
    .option('--seeds <numbers>', 'seeds of bags and weights, separated by commas', seedList, [1, 2, 3, 4, 5])
    .option('--bags <number>', 'training bags', whole(8, 10_000), 120)
    .option('--tiles <number>', 'tiles of a bag', whole(4, 10_000), 40)
    .option('--epochs <number>', 'epochs of every training, for a quick look', whole(1, 1000))
    .option('--candidates <names>', `trainings to choose between, separated by commas`, list, CANDIDATES)
    .option('--test-bags <number>', 'bags of the part that judges', whole(8, 10_000), 60)
    .option('--resamples <number>', 'draws of the distinct tiles for intervals', whole(0, 100_000), 500)
    .requiredOption('--out <folder>', 'where report.json and report.md go; features are kept in its cache/')
    .option(...STORE_OPTION)
    .option('--threads <number>', 'threads; 0 = all cores', whole(0, 1024), 0);
  return runs<Options>(command, finish, async (options, terminal) => {
    const report = await abortOnSignal((signal) => measure(options, terminal, signal));
    const { patchReportMarkdown } = await import('../../../engine/proof/patch-report.ts');
    const text = patchReportMarkdown(report);
    const out = resolve(options.out);
    await writeFile(join(out, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
    await writeFile(join(out, 'report.md'), text);
    terminal.printJson(report);
    terminal.print(text);
    terminal.note(`Measured in ${formatDuration(report.seconds)}.`);
    return EXIT.ok;
  });
}

async function measure(options: Options, terminal: Terminal, signal: AbortSignal): Promise<PatchProofReport> {
  const startedMs = performance.now();
  const { readTasks } = await import('../../../engine/compare/read-tasks.ts');
  const { splitPatches } = await import('../../../engine/proof/patch-tiles.ts');
  const { versions } = await import('../../../engine/service/versions.ts');
  const recipes = withEpochs(await proofRecipes(options.candidates), options.epochs);
  const { tasks } = await readTasks([options.data], { ungrouped: [basename(resolve(options.data))] });
  const [task] = tasks;
  if (task === undefined || tasks.length > 1) {
    throw new AppError('InvalidRequest', 'Give one patch data set, not a folder of several.');
  }
  const [seed = 1] = options.seeds;
  const split = splitPatches(task.images, { ...options, seed });
  const backbones = await chooseProofBackbones(options.backbone, options);
  const proofs: BackboneProof[] = [];
  for (const backbone of backbones) {
    proofs.push(await proveBackbone(backbone, split, recipes, options, terminal, signal));
  }
  const size = ({ positive, negative }: PatchSplit['train']): number => positive.length + negative.length;
  return {
    data: task.name,
    dataSha256: createHash('sha256')
      .update(split.images.map(({ sha256 }) => sha256).join('\n'))
      .digest('hex'),
    ...{ positive: options.positive, negative: options.negative, parts: options.parts, seeds: options.seeds },
    tiles: { train: size(split.train), test: size(split.test) },
    bags: { count: options.bags, tiles: options.tiles, positiveShare: [0.1, 0.25] },
    ...{ validationShare: VALIDATION_SHARE, testBags: options.testBags, resamples: options.resamples, aim: AIM },
    backbones: proofs,
    versions: versions(),
    notes: task.notes,
    seconds: (performance.now() - startedMs) / 1000,
  };
}

function withEpochs(recipes: readonly ProofRecipe[], epochs: number | undefined): readonly ProofRecipe[] {
  return epochs === undefined ? recipes : recipes.map((it) => ({ ...it, settings: { ...it.settings, epochs } }));
}

async function proveBackbone(
  backbone: CompareBackbone,
  { images, train, test }: PatchSplit,
  recipes: readonly ProofRecipe[],
  options: Options,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<BackboneProof> {
  const { provePatches } = await import('../../../engine/proof/patch-proof.ts');
  const { card, cuts } = backbone;
  const bar = terminal.progress(card.name);
  const show = (stage: string, done: number, total: number): void =>
    bar.update({ stage, done, total, perSecond: null, secondsLeft: null });
  try {
    const features = await featuresOf(backbone, images, options, signal, (done, total) =>
      show('features', done, total),
    );
    const threads = options.threads === 0 ? availableParallelism() : options.threads;
    const { seeds, testBags, resamples } = options;
    const bags = { bags: options.bags, tilesPerBag: options.tiles, positiveShare: [0.1, 0.25] as const };
    const plan = { recipes, seeds, bags, validationShare: VALIDATION_SHARE, testBags, resamples, threads };
    const onDone = (done: number, total: number): void => show('training', done, total);
    const proof = await provePatches({ features, train, test }, plan, { signal, onDone });
    const control = card.name === CONTROL_BACKBONE;
    return {
      ...{ backbone: card.name, sha256: card.id, cut: cuts[0]?.name ?? '', featureDim: features.dim, control, proof },
    };
  } finally {
    bar.stop();
  }
}

async function featuresOf(
  { card, modelPath, cuts }: CompareBackbone,
  images: PatchSplit['images'],
  { out, threads }: Options,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
) {
  const { FeatureCache } = await import('../../../engine/compare/feature-cache.ts');
  const { patchFeatures } = await import('../../../engine/compare/patch-features.ts');
  const { InferenceWorker } = await import('../../../engine/infer/inference-worker.ts');
  const folder = join(resolve(out), 'cache', 'features');
  await mkdir(folder, { recursive: true });
  const worker = new InferenceWorker();
  try {
    const cache = new FeatureCache(folder);
    const all = await patchFeatures({ worker, cache, modelPath, card, cuts, images, threads, signal, onProgress });
    const features = all.get(cuts[0]?.name ?? '');
    if (features === undefined) throw new AppError('Internal', 'The backbone gave no features.');
    return features;
  } finally {
    await worker.close();
  }
}
