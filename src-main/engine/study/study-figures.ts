import { type BootstrapInterval, bootstrapInterval } from './bootstrap.ts';
import {
  accuracy,
  averagePrecision,
  balancedAccuracy,
  brierScore,
  cohenKappa,
  expectedCalibrationError,
  macroAuc,
  macroF1,
  rocAuc,
} from './metrics.ts';
import type { StudyCase } from './splits.ts';

/** What the heads that never saw a case say of it. */
export interface OutOfFold {
  readonly caseIndex: number;
  readonly fold: number;
  /** Mean over the seeds, one per class. */
  readonly probabilities: readonly number[];
  /** seeds x classes. */
  readonly bySeed: readonly (readonly number[])[];
}

/** A figure of merit over all folds, with how sure it is. */
export interface FigureWithInterval {
  readonly name: string;
  /** Mean of the folds' own values: scores of different folds are never pooled into one. */
  readonly value: number;
  readonly byFold: readonly number[];
  /** Bootstrap over patients, within folds; null where it does not exist. */
  readonly interval: BootstrapInterval | null;
  /** Standard deviation over the seeds' own values; null with a single seed. */
  readonly seedSd: number | null;
  /** True where no patients are known: images are treated as independent, which is optimistic. */
  readonly optimistic: boolean;
}

/** Rows of one evaluation: truth and probabilities (rows x classes) with the fold each row was tested in. */
interface Rows {
  readonly truth: readonly number[];
  readonly probabilities: readonly (readonly number[])[];
  readonly fold: readonly number[];
}

type Figure = (truth: readonly number[], probabilities: readonly (readonly number[])[], classes: number) => number;

const predicted = (probabilities: readonly (readonly number[])[]): number[] =>
  probabilities.map((row) => row.indexOf(Math.max(...row)));
const positive = (probabilities: readonly (readonly number[])[]): number[] => probabilities.map((row) => row[1] ?? 0);

const FIGURES: Readonly<Record<string, Figure>> = {
  AUC: (truth, p, classes) =>
    classes === 2 ? rocAuc(truth, positive(p)) : macroAuc(truth, Float64Array.from(p.flat()), classes),
  'balanced accuracy': (truth, p, classes) => balancedAccuracy(truth, predicted(p), classes),
  accuracy: (truth, p) => accuracy(truth, predicted(p)),
  'macro F1': (truth, p, classes) => macroF1(truth, predicted(p), classes),
  "Cohen's kappa": (truth, p, classes) => cohenKappa(truth, predicted(p), classes),
};

/** Figures that need two classes, the second in alphabetical order being the positive one. */
const BINARY_FIGURES: Readonly<Record<string, Figure>> = {
  'PR-AUC': (truth, p) => averagePrecision(truth, positive(p)),
  Brier: (truth, p) => brierScore(truth, positive(p)),
  ECE: (truth, p) => expectedCalibrationError(truth, positive(p)),
};

/** All figures of a cross-validated study, each per fold, averaged, with a patient bootstrap and the seeds' spread. */
export function studyFigures(
  cases: readonly StudyCase[],
  classes: readonly string[],
  predictions: readonly OutOfFold[],
  plan: { readonly splitSeed: number; readonly groupsAreImages: boolean },
): FigureWithInterval[] {
  const truth = predictions.map(({ caseIndex }) => classes.indexOf(cases[caseIndex]?.label ?? ''));
  const groups = predictions.map(({ caseIndex }) => cases[caseIndex]?.group ?? '');
  const fold = predictions.map((prediction) => prediction.fold);
  const ensemble: Rows = { truth, fold, probabilities: predictions.map(({ probabilities }) => probabilities) };
  const seeds = predictions[0]?.bySeed.length ?? 0;
  const all = classes.length === 2 ? { ...FIGURES, ...BINARY_FIGURES } : FIGURES;
  return Object.entries(all).map(([name, figure]) => {
    const perFold = byFold(ensemble, figure, classes.length);
    const mean = (rows: Rows): number => average(byFold(rows, figure, classes.length));
    const bySeed = Array.from({ length: seeds }, (_, seed) =>
      mean({ ...ensemble, probabilities: predictions.map((prediction) => prediction.bySeed[seed] ?? []) }),
    );
    const interval = bootstrapInterval(predictions.length, groups, (rows) => mean(pick(ensemble, rows)), {
      seed: plan.splitSeed,
    });
    return {
      name,
      value: average(perFold),
      byFold: perFold,
      interval: Number.isNaN(interval.low) ? null : interval,
      seedSd: seeds > 1 ? deviation(bySeed) : null,
      optimistic: plan.groupsAreImages,
    };
  });
}

/** The figure of each fold; NaN where a fold's test part lacks a class. */
function byFold(rows: Rows, figure: Figure, classes: number): number[] {
  const folds = [...new Set(rows.fold)].sort((a, b) => a - b);
  return folds.map((fold) => {
    const chosen = Uint32Array.from(rows.fold.flatMap((f, i) => (f === fold ? [i] : [])));
    const { truth, probabilities } = pick(rows, chosen);
    return figure(truth, probabilities, classes);
  });
}

function pick(rows: Rows, chosen: Uint32Array): Rows {
  const take = <T>(values: readonly T[]): T[] => Array.from(chosen, (i) => values[i] as T);
  return { truth: take(rows.truth), probabilities: take(rows.probabilities), fold: take(rows.fold) };
}

/** Mean of the values that exist; NaN where none does. */
function average(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

function deviation(values: readonly number[]): number {
  const mean = average(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
