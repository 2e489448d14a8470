import { type BootstrapInterval, biasCorrected, bootstrapIntervals } from './bootstrap.ts';
import {
  accuracy,
  averagePrecision,
  balancedAccuracy,
  brierScore,
  cohenKappa,
  expectedCalibrationError,
  macroF1,
  operatingPoint,
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
}

/** Thresholds on the probability of the positive class, chosen outside the slides they are applied to. */
export interface FoldThresholds {
  /** Of the mean over the seeds. */
  readonly ofMean: number;
  /** Of each seed alone. */
  readonly bySeed: readonly number[];
}

export interface FigurePlan {
  readonly splitSeed: number;
  /** Number of the class that counts as positive; null with more than two classes. */
  readonly positive: number | null;
  /** By fold; empty with more than two classes. */
  readonly thresholds: readonly FoldThresholds[];
  /** Of the bootstrap; 2000 where left out. */
  readonly resamples?: number;
}

/** Rows of one evaluation: truth and probabilities (rows x classes), the fold each was tested in, and its threshold. */
interface Rows {
  readonly truth: readonly number[];
  readonly probabilities: readonly (readonly number[])[];
  readonly fold: readonly number[];
  readonly threshold: readonly number[];
}

type Figure = (rows: Rows, classes: number) => number;
type Binary = (truth: readonly number[], scores: readonly number[]) => number;

const called = ({ probabilities }: Rows): number[] => probabilities.map((row) => row.indexOf(Math.max(...row)));

/** Figures by name, in the order they are shown. */
function figuresFor(positive: number | null): Readonly<Record<string, Figure>> {
  /** Of the positive class where there are two; else the mean of each class against the others. */
  const ofClass =
    (figure: Binary): Figure =>
    ({ truth, probabilities }, classes) => {
      const against = (c: number): number => {
        const isClass = truth.map((label) => Number(label === c));
        return figure(
          isClass,
          probabilities.map((row) => row[c] ?? 0),
        );
      };
      if (positive !== null) return against(positive);
      return Array.from({ length: classes }, (_, c) => against(c)).reduce((sum, value) => sum + value, 0) / classes;
    };
  const atPoint =
    (which: 'sensitivity' | 'specificity'): Figure =>
    ({ truth, probabilities, threshold }) => {
      const isPositive = truth.map((label) => Number(label === positive));
      // A score's distance from its own threshold: folds have different ones.
      const above = probabilities.map((row, i) => (row[positive ?? 0] ?? 0) - (threshold[i] ?? 0.5));
      return operatingPoint(isPositive, above, 0)[which];
    };
  return {
    AUC: ofClass(rocAuc),
    'balanced accuracy': (rows, classes) => balancedAccuracy(rows.truth, called(rows), classes),
    accuracy: (rows) => accuracy(rows.truth, called(rows)),
    'macro F1': (rows, classes) => macroF1(rows.truth, called(rows), classes),
    "Cohen's kappa": (rows, classes) => cohenKappa(rows.truth, called(rows), classes),
    ...(positive === null ? {} : { sensitivity: atPoint('sensitivity'), specificity: atPoint('specificity') }),
    'PR-AUC': ofClass(averagePrecision),
    Brier: ofClass(brierScore),
    [ECE]: ofClass(expectedCalibrationError),
  };
}

/**
 * The calibration error is never below 0, so chance alone lifts it, the more the fewer slides there are, and a resample
 * lifts it again. Its value and limits are corrected by the bootstrap's own estimate of that; folds show it plain.
 */
export const ECE = 'ECE, bias-corrected';

/** All figures of a study, each per fold, averaged, with a patient bootstrap and the seeds' spread. Lets others work between two figures. */
export async function studyFigures(
  cases: readonly StudyCase[],
  classes: readonly string[],
  predictions: readonly OutOfFold[],
  plan: FigurePlan,
): Promise<FigureWithInterval[]> {
  const truth = predictions.map(({ caseIndex }) => classes.indexOf(cases[caseIndex]?.label ?? ''));
  const groups = predictions.map(({ caseIndex }) => cases[caseIndex]?.group ?? '');
  const fold = predictions.map((prediction) => prediction.fold);
  const ensemble: Rows = {
    truth,
    fold,
    probabilities: predictions.map(({ probabilities }) => probabilities),
    threshold: fold.map((f) => plan.thresholds[f]?.ofMean ?? 0.5),
  };
  const seeds = predictions[0]?.bySeed.length ?? 0;
  const named = Object.entries(figuresFor(plan.positive));
  const all = named.map(([, figure]) => figure);
  const means = (rows: Rows): number[] => byFold(rows, all, classes.length).map(average);
  const perFold = byFold(ensemble, all, classes.length);
  const bySeed = Array.from({ length: seeds }, (_, seed) =>
    means({
      ...ensemble,
      probabilities: predictions.map((prediction) => prediction.bySeed[seed] ?? []),
      threshold: fold.map((f) => plan.thresholds[f]?.bySeed[seed] ?? 0.5),
    }),
  );
  const intervals = await bootstrapIntervals(predictions.length, groups, (rows) => means(pick(ensemble, rows)), {
    seed: plan.splitSeed,
    ...(plan.resamples === undefined ? {} : { resamples: plan.resamples }),
  });
  return named.flatMap(([name], f) => {
    const plain = intervals[f];
    if (plain === undefined) return [];
    const exists = !Number.isNaN(plain.low) && !Number.isNaN(plain.estimate);
    const interval = name === ECE && exists ? biasCorrected(plain, [0, 1]) : plain;
    return [
      {
        name,
        value: interval.estimate,
        byFold: perFold[f] ?? [],
        interval: exists ? interval : null,
        seedSd: seeds > 1 ? deviation(bySeed.map((values) => values[f] ?? Number.NaN)) : null,
      },
    ];
  });
}

/** figures x folds; NaN where a fold's test part lacks a class. */
function byFold(rows: Rows, figures: readonly Figure[], classes: number): number[][] {
  const rowsOf = new Map<number, number[]>();
  rows.fold.forEach((fold, i) => {
    const known = rowsOf.get(fold);
    if (known === undefined) rowsOf.set(fold, [i]);
    else known.push(i);
  });
  const folds = [...rowsOf.keys()].sort((a, b) => a - b);
  const parts = folds.map((fold) => pick(rows, Uint32Array.from(rowsOf.get(fold) ?? [])));
  return figures.map((figure) => parts.map((part) => figure(part, classes)));
}

function pick(rows: Rows, chosen: Uint32Array): Rows {
  const take = <T>(values: readonly T[]): T[] => Array.from(chosen, (i) => values[i] as T);
  return {
    ...{ truth: take(rows.truth), probabilities: take(rows.probabilities) },
    ...{ fold: take(rows.fold), threshold: take(rows.threshold) },
  };
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
