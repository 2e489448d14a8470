import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { DEFAULT_GRID } from '../../../../src-shared/model/run.ts';
import {
  DEFAULT_STUDY_TRAINING,
  NOT_STEADIED,
  type OperatingRule,
  type PoolingName,
  type StudyPlan,
  type StudySplitting,
} from '../../../../src-shared/model/study.ts';
import {
  presetOfPlan,
  TRAINING_PRESETS,
  type TrainingPreset,
  trainingPreset,
} from '../../../../src-shared/model/training-preset.ts';
import { numberWithin, STORE_OPTION } from '../command.ts';

const PRESETS = TRAINING_PRESETS.map(({ name }) => name);
const POOLINGS: readonly PoolingName[] = ['histotransfer', 'abmil', 'clam-sb', 'mean', 'max'];

export interface PlanOptions {
  readonly backbone?: string;
  readonly features?: string;
  readonly label?: string;
  readonly name: string;
  readonly store?: string;
  readonly mpp: number;
  readonly tileUm: number;
  readonly minTissue: number;
  readonly slideMpp?: number;
  readonly set?: string;
  readonly encoder?: string;
  /** Fills in every setting of the training that is not given. */
  readonly preset?: TrainingPreset;
  readonly pooling?: PoolingName;
  readonly gated?: boolean;
  readonly folds?: number;
  readonly repeats: number;
  readonly shares?: readonly number[];
  readonly splits?: readonly string[];
  readonly onlyValidate: boolean;
  readonly groupBy: 'patient' | 'site';
  readonly positive?: string;
  readonly point: OperatingRule;
  readonly splitSeed: number;
  readonly seeds: number;
  readonly epochs?: number;
  readonly rate?: number;
  readonly keepBestBy?: StudyPlan['keepBestBy'];
  /** Null = never early. */
  readonly patience?: number | null;
  readonly weightDecay?: number;
  readonly warmup?: number;
  readonly standardise?: boolean;
  readonly classWeights?: boolean;
  readonly tileDropout?: number;
  readonly featureDropout?: number;
  readonly entropy?: number;
  readonly tileWeight?: number;
  readonly solved?: boolean;
  readonly relabelled?: boolean;
  readonly threads: number;
}

/** The options that make a study's plan. */
export function withPlanOptions(command: Command): Command {
  const share = numberWithin(0, 0.95);
  return withTrainingOptions(command)
    .option('--backbone <name>', 'backbone or .onnx file, perhaps with a cut: net@layer3')
    .option(
      '--features <folder>',
      'feature files of TRIDENT or CLAM (SLIDE.h5 or .pt) in place of a backbone; slide files are welcome, not needed',
    )
    .option('--set <name>', 'which features, where the folder holds several: their folder or encoder')
    .option('--encoder <name>', 'what made them, in place of the name the files or the folder give')
    .option('--label <column>', 'label column, where the table has several')
    .option('--name <text>', 'name of the study', 'study')
    .option(...STORE_OPTION)
    .option('--mpp <µm>', 'resolution the model sees, µm per pixel', numberWithin(0.05, 50), DEFAULT_GRID.mpp)
    .option('--tile-um <µm>', 'side of a tile', numberWithin(4, 10_000), DEFAULT_GRID.tileUm)
    .option('--min-tissue <0..1>', 'part of a tile that must be tissue', share, DEFAULT_GRID.minTissueFraction)
    .option('--slide-mpp <µm>', 'pixel size of slides that do not state it', numberWithin(0.01, 100))
    .option('--folds <number>', 'folds of the cross-validation (default: 5)', numberWithin(3, 20, 'integer'))
    .option('--repeats <number>', 'how often the splits are drawn anew', numberWithin(1, 50, 'integer'), 1)
    .option('--shares <a,b,c>', 'training, validation and test shares in place of folds: 0.7,0.1,0.2', sharesOf)
    .option('--splits <files...>', "splits of CLAM (splits_*.csv) or Patho-Bench (k=all.tsv) in place of Hyaline's")
    .option('--only-validate', 'no splits: the study only serves `study external`', false)
    .option('--group-by <what>', 'what must not lie in two parts: patient, or site as well', groupOf, 'patient')
    .option('--positive <class>', 'positive class of two (default: the second in alphabetical order)')
    .option('--point <rule>', 'threshold for sensitivity and specificity: youden, or sensitivity=0.9', pointOf, {
      kind: 'youden',
    })
    .option('--split-seed <number>', 'seed of the splits', numberWithin(0, 2 ** 31 - 1, 'integer'), 1)
    .option('--seeds <number>', 'trainings per split', numberWithin(1, 20, 'integer'), 5)
    .option('--threads <number>', 'threads for the model; 0 = all cores', numberWithin(0, 1024, 'integer'), 0);
}

/** How heads are trained: what is given, over the preset, over HistoTransfer's recipe. */
function withTrainingOptions(command: Command): Command {
  const share = numberWithin(0, 0.95);
  const { epochs, rate } = DEFAULT_STUDY_TRAINING;
  return command
    .option('--preset <name>', `a whole training, which the options below change: ${PRESETS.join(', ')}`, presetNamed)
    .option('--pooling <name>', `${POOLINGS.join(', ')} (default: histotransfer)`, poolingOf)
    .option('--gated', 'multiply the attention by a gate')
    .option('--no-gated', 'no gate, where the preset has one')
    .option('--epochs <number>', `passes over the training part (default: ${epochs})`, numberWithin(1, 1000, 'integer'))
    .option('--rate <number>', `Adam's learning rate (default: ${rate})`, numberWithin(1e-7, 1))
    .option('--keep-best-by <what>', 'loss or accuracy of the validation part (default: loss)', keptBy)
    .option('--patience <epochs|none>', 'stop after so many epochs without a better value (default: none)', patienceOf)
    .option('--weight-decay <number>', 'AdamW weight decay (default: 0)', numberWithin(0, 1))
    .option('--warmup <steps>', 'steps over which the rate rises (default: 0)', numberWithin(0, 1e6, 'integer'))
    .option('--standardise', 'features at mean 0 and variance 1 of the training part')
    .option('--no-standardise', 'features as they are, where the preset standardises them')
    .option('--solved', 'solve for the best linear score of tiles instead of taking steps (mean pooling only)')
    .option('--no-solved', 'take steps, where the preset solves')
    .option('--relabelled', 'then give tiles labels of their own and solve again (two classes)')
    .option('--no-relabelled', "every tile keeps its slide's label, where the preset relabels")
    .option('--no-class-weights', 'count every slide alike, however rare its class')
    .option('--tile-dropout <share>', 'tiles hidden from the attention in each step (default: 0)', share)
    .option('--feature-dropout <share>', 'embedding dimensions dropped in each step (default: 0)', share)
    .option('--entropy <weight>', 'reward for wide attention (default: 0)', numberWithin(0, 10))
    .option('--tile-weight <share>', "part of the loss that asks every tile for its slide's label (default: 0)", share);
}

/** The training the options describe. */
export function trainingOf(options: PlanOptions) {
  const { pooling, gated, epochs, rate, keepBestBy, tileDropout, featureDropout, entropyWeight, steadying } =
    options.preset === undefined ? { ...DEFAULT_STUDY_TRAINING, steadying: undefined } : presetOfPlan(options.preset);
  const { patience, weightDecay, warmup, standardise, tileWeight, solved, relabelled } = options;
  const changes = [patience, weightDecay, warmup, standardise, tileWeight, solved, relabelled];
  const given = changes.some((value) => value !== undefined);
  const base = steadying ?? NOT_STEADIED;
  return {
    ...{ pooling: options.pooling ?? pooling, gated: options.gated ?? gated, epochs: options.epochs ?? epochs },
    ...{ rate: options.rate ?? rate, keepBestBy: options.keepBestBy ?? keepBestBy },
    balanceClasses: options.classWeights ?? true,
    tileDropout: options.tileDropout ?? tileDropout,
    featureDropout: options.featureDropout ?? featureDropout,
    entropyWeight: options.entropy ?? entropyWeight,
    ...((given || steadying !== undefined) && {
      steadying: {
        standardise: standardise ?? base.standardise,
        weightDecay: weightDecay ?? base.weightDecay,
        warmupSteps: warmup ?? base.warmupSteps,
        patience: patience === undefined ? base.patience : patience,
        tileWeight: tileWeight ?? base.tileWeight,
        ...((solved ?? base.solved) && { solved: true }),
        ...((relabelled ?? base.relabelled) && { relabelled: true }),
      },
    }),
  };
}

function keptBy(text: string): StudyPlan['keepBestBy'] {
  if (text === 'loss' || text === 'accuracy') return text;
  throw new InvalidArgumentError('It must be loss or accuracy.');
}

function patienceOf(text: string): number | null {
  return text === 'none' ? null : numberWithin(1, 1000, 'integer')(text);
}

/** How the options split the slides where no files of splits are given. */
export function splittingOf({ folds, repeats, shares, onlyValidate }: PlanOptions): StudySplitting {
  if (onlyValidate) return { kind: 'none' };
  if (shares === undefined) return { kind: 'folds', folds: folds ?? 5, repeats };
  const [train = 0, validation = 0, test = 0] = shares;
  return { kind: 'shares', train, validation, test, repeats };
}

function presetNamed(text: string): TrainingPreset {
  const found = trainingPreset(text);
  if (found === null) throw new InvalidArgumentError(`It must be one of: ${PRESETS.join(', ')}.`);
  return found;
}

function poolingOf(text: string): PoolingName {
  const found = POOLINGS.find((name) => name === text);
  if (found === undefined) throw new InvalidArgumentError(`It must be one of: ${POOLINGS.join(', ')}.`);
  return found;
}

function groupOf(text: string): 'patient' | 'site' {
  if (text === 'patient' || text === 'site') return text;
  throw new InvalidArgumentError('It must be patient or site.');
}

function sharesOf(text: string): readonly number[] {
  const shares = text.split(/[,/]/).map(Number);
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (shares.length === 3 && shares.every((share) => share > 0)) return shares.map((share) => share / total);
  throw new InvalidArgumentError('It must be three shares above 0: training, validation, test.');
}

function pointOf(text: string): OperatingRule {
  if (text === 'youden') return { kind: 'youden' };
  const atLeast = Number(/^sensitivity=(.+)$/.exec(text)?.[1] ?? Number.NaN);
  if (atLeast > 0 && atLeast <= 1) return { kind: 'sensitivity', atLeast };
  throw new InvalidArgumentError('It must be youden, or sensitivity= and a number from 0 to 1.');
}
