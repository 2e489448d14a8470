import { AppError } from '../../../src-shared/errors.ts';
import {
  decisionValues,
  fitStandardiser,
  type LinearModel,
  predictedClasses,
  rowsOf,
  type Samples,
  type Standardiser,
  standardised,
} from './linear-model.ts';
import { fitLinearSvm } from './linear-svm.ts';
import { fitLogisticRegression } from './logistic-regression.ts';
import { accuracy, balancedAccuracy, macroAuc, rocAuc } from './metrics.ts';
import { innerFolds } from './splits.ts';

/** Frozen features with their classes: what a backbone is judged by. */
export interface ProbeTask {
  readonly samples: Samples;
  /** Class of each row, 0..classes-1. */
  readonly labels: ArrayLike<number>;
  readonly classes: number;
  /** Patient, slide or source image of each row: never on both sides of a split. */
  readonly groups: readonly string[];
}

export interface ProbeOptions {
  readonly kind: 'svm' | 'logistic';
  readonly seed: number;
  /** Candidates for C, rising. */
  readonly grid?: readonly number[];
  readonly folds?: number;
  /** Zero mean and unit variance learnt on each training part; the papers use features as they are. */
  readonly standardise?: boolean;
}

/** C from 1e-10 to 1 in powers of ten (Mormont et al. 2021). */
export const PROBE_C_GRID: readonly number[] = Array.from({ length: 11 }, (_, i) => 10 ** (i - 10));

export interface ChosenC {
  readonly c: number;
  /** What C was chosen by: AUC for two classes, accuracy for more, as the multi-task paper does. */
  readonly metric: 'auc' | 'accuracy';
  readonly candidates: readonly {
    readonly c: number;
    readonly meanScore: number;
    readonly foldScores: readonly number[];
  }[];
}

export interface Probe {
  readonly model: LinearModel;
  readonly standardiser: Standardiser | null;
  readonly chosen: ChosenC;
}

export interface ProbeScore {
  readonly accuracy: number;
  readonly balancedAccuracy: number;
  /** Of class 1 for two classes, mean one-vs-rest for more; NaN where a class is missing. */
  readonly auc: number;
}

/**
 * A linear probe of the training part: C by grouped cross-validation inside it (scores of folds averaged, never pooled;
 * of equals the smallest C), then fitted on all of it. Source: Mormont et al. 2021, section on feature extraction.
 * @throws AppError InvalidRequest for features that are not numbers, fewer than two classes, or a class with one group.
 */
export function fitProbe(train: ProbeTask, options: ProbeOptions): Probe {
  checkFinite(train.samples);
  const chosen = chooseC(train, options);
  return { ...fitOn(train, options, chosen.c), chosen };
}

export function scoreProbe({ model, standardiser }: Omit<Probe, 'chosen'>, task: ProbeTask): ProbeScore {
  const samples = standardiser === null ? task.samples : standardised(task.samples, standardiser);
  const predicted = predictedClasses(model, samples);
  const values = decisionValues(model, samples);
  return {
    accuracy: accuracy(task.labels, predicted),
    balancedAccuracy: balancedAccuracy(task.labels, predicted, task.classes),
    auc: task.classes === 2 ? rocAuc(task.labels, values) : macroAuc(task.labels, values, task.classes),
  };
}

/** The rows of a task as a task of their own. */
export function taskRows(task: ProbeTask, rows: ArrayLike<number>): ProbeTask {
  return {
    samples: rowsOf(task.samples, rows),
    labels: Uint32Array.from(rows, (row) => task.labels[row] ?? 0),
    classes: task.classes,
    groups: Array.from(rows, (row) => task.groups[row] ?? ''),
  };
}

function chooseC(train: ProbeTask, options: ProbeOptions): ChosenC {
  const { grid = PROBE_C_GRID, folds = 5, seed } = options;
  const cases = train.groups.map((group, i) => ({ id: String(i), label: String(train.labels[i]), group }));
  const tests = innerFolds(cases, folds, seed);
  const metric = train.classes === 2 ? 'auc' : 'accuracy';
  const parts = tests.map((test) => {
    const left = new Set(test);
    const rest = cases.flatMap((_, i) => (left.has(i) ? [] : [i]));
    return { fit: taskRows(train, rest), test: taskRows(train, test) };
  });
  const candidates = grid.map((c) => {
    const foldScores = parts.map(({ fit, test }) => scoreProbe(fitOn(fit, options, c), test)[metric]);
    const known = foldScores.filter((score) => !Number.isNaN(score));
    return { c, meanScore: known.reduce((sum, score) => sum + score, 0) / known.length, foldScores };
  });
  const [first, ...others] = candidates;
  if (first === undefined) throw new AppError('InvalidRequest', 'There is no candidate for C to choose from.');
  const best = others.reduce((a, b) => (b.meanScore > a.meanScore + 1e-12 ? b : a), first);
  return { c: best.c, metric, candidates };
}

function fitOn(task: ProbeTask, { kind, seed, standardise = false }: ProbeOptions, c: number): Omit<Probe, 'chosen'> {
  const standardiser = standardise ? fitStandardiser(task.samples) : null;
  const samples = standardiser === null ? task.samples : standardised(task.samples, standardiser);
  const model =
    kind === 'svm'
      ? fitLinearSvm(samples, task.labels, task.classes, { c, seed })
      : fitLogisticRegression(samples, task.labels, task.classes, { c });
  return { model, standardiser };
}

function checkFinite({ data, dim }: Samples): void {
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new AppError('InvalidRequest', `The features of row ${Math.floor(bad / dim)} are not numbers.`, {
    advice: 'Check the backbone that made them, then extract the features again.',
    detail: `row ${Math.floor(bad / dim)}, feature ${bad % dim}: ${data[bad]}`,
  });
}
