import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { DEFAULT_GRID } from '../../../../src-shared/model/run.ts';
import {
  DEFAULT_STUDY_TRAINING,
  type OperatingRule,
  type PoolingName,
  type StudySplitting,
} from '../../../../src-shared/model/study.ts';
import { TRAINING_PRESETS, type TrainingPreset, trainingPreset } from '../../../../src-shared/model/training-preset.ts';
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
  /** In place of all settings of the training where given. */
  readonly preset?: TrainingPreset;
  readonly pooling: PoolingName;
  readonly gated: boolean;
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
  readonly epochs: number;
  readonly tileDropout: number;
  readonly featureDropout: number;
  readonly entropy: number;
  readonly threads: number;
}

/** The options that make a study's plan. */
export function withPlanOptions(command: Command): Command {
  const { epochs } = DEFAULT_STUDY_TRAINING;
  const share = numberWithin(0, 0.95);
  return command
    .option('--backbone <name>', 'backbone or .onnx file, perhaps with a cut: net@layer3')
    .option('--features <folder>', 'feature files of TRIDENT or CLAM (SLIDE.h5) in place of a backbone')
    .option('--label <column>', 'label column, where the table has several')
    .option('--name <text>', 'name of the study', 'study')
    .option(...STORE_OPTION)
    .option('--mpp <µm>', 'resolution the model sees, µm per pixel', numberWithin(0.05, 50), DEFAULT_GRID.mpp)
    .option('--tile-um <µm>', 'side of a tile', numberWithin(4, 10_000), DEFAULT_GRID.tileUm)
    .option('--min-tissue <0..1>', 'part of a tile that must be tissue', share, DEFAULT_GRID.minTissueFraction)
    .option('--slide-mpp <µm>', 'pixel size of slides that do not state it', numberWithin(0.01, 100))
    .option(
      '--preset <name>',
      `a whole training in place of pooling, gate, epochs, dropouts and entropy: ${PRESETS.join(', ')}`,
      presetNamed,
    )
    .option('--pooling <name>', POOLINGS.join(', '), poolingOf, 'histotransfer')
    .option('--gated', 'multiply the attention by a gate', false)
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
    .option('--epochs <number>', 'passes over the training part', numberWithin(1, 1000, 'integer'), epochs)
    .option('--tile-dropout <share>', 'tiles hidden from the attention in each step', share, 0)
    .option('--feature-dropout <share>', 'embedding dimensions dropped in each step', share, 0)
    .option('--entropy <weight>', 'reward for wide attention', numberWithin(0, 10), 0)
    .option('--threads <number>', 'threads for the model; 0 = all cores', numberWithin(0, 1024, 'integer'), 0);
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
