import { AppError } from '../../../src-shared/errors.ts';
import type { HeadWeights } from '../learn/evaluate-head.ts';
import type { HeadRegularisers, HeadSpec } from '../learn/head-spec.ts';
import type { BagSet, EpochRecord, HeadTraining } from '../learn/train-head.ts';
import type { TrainingWorker } from '../learn/training-worker.ts';
import { auditSplit, checkNoLeakage, groupedFolds, type PartAudit, type Split, type StudyCase } from './splits.ts';
import { type FigureWithInterval, type OutOfFold, studyFigures } from './study-figures.ts';

/** Slides with labels and their features; bags are fetched one at a time. */
export interface StudyData {
  readonly cases: readonly StudyCase[];
  readonly featureDim: number;
  /** tiles x featureDim of a case. */
  readonly features: (caseIndex: number) => Promise<Float32Array>;
}

export interface StudyPlan {
  readonly head: Pick<HeadSpec, 'pooling' | 'gated'>;
  readonly regularisers: HeadRegularisers;
  readonly training: Pick<
    HeadTraining,
    'optimiser' | 'rate' | 'weightDecay' | 'clipNorm' | 'epochs' | 'patience' | 'keepBestBy'
  >;
  /** Weights each class by the inverse of its share in the training part. */
  readonly balanceClasses: boolean;
  readonly folds: number;
  /** Seed of the folds. */
  readonly splitSeed: number;
  /** One training per fold and seed; at least five are advised, so that seeds can be told from patients. */
  readonly seeds: readonly number[];
  /** True where the labels file names no patients: every image counts as one. */
  readonly groupsAreImages: boolean;
}

/** One trained head of the study. */
export interface StudyModel {
  readonly fold: number;
  readonly seed: number;
  readonly spec: HeadSpec;
  readonly weights: HeadWeights;
  readonly bestEpoch: number;
  readonly history: readonly EpochRecord[];
}

export interface StudyResult {
  readonly classes: readonly string[];
  readonly splits: readonly Split[];
  readonly audits: readonly Readonly<Record<keyof Split, PartAudit>>[];
  readonly models: readonly StudyModel[];
  readonly predictions: readonly OutOfFold[];
  readonly figures: readonly FigureWithInterval[];
}

export interface StudyHooks {
  readonly onEpoch?: (fold: number, seed: number, record: EpochRecord) => void;
  readonly onModel?: (model: StudyModel, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Cross-validates attention pooling on slide labels: patients stay whole, each fold's test part is never trained or
 * selected on (early stopping looks at the validation part), every case is judged by heads that never saw it.
 *
 * @param splits folds of the user's own (CLAM, Patho-Bench); null = made here from the plan.
 * @throws AppError InvalidRequest (one class only, leakage, too few patients, bad features: named), Cancelled.
 */
export async function trainStudy(
  data: StudyData,
  plan: StudyPlan,
  worker: Pick<TrainingWorker, 'train' | 'predict'>,
  hooks: StudyHooks = {},
  splits: readonly Split[] | null = null,
): Promise<StudyResult> {
  const classes = [...new Set(data.cases.map(({ label }) => label))].sort();
  if (classes.length < 2) {
    throw new AppError('InvalidRequest', 'All slides of this study carry the same label.', {
      advice: 'A study needs slides of at least two classes.',
    });
  }
  if (plan.seeds.length === 0) throw new AppError('InvalidRequest', 'A study needs at least one seed.');
  const folds = splits ?? groupedFolds(data.cases, plan.folds, plan.splitSeed);
  for (const split of folds) checkNoLeakage(data.cases, split);
  const models: StudyModel[] = [];
  const predictions: OutOfFold[] = [];
  for (const [fold, split] of folds.entries()) {
    const ofFold: StudyModel[] = [];
    for (const seed of plan.seeds) {
      const model = await trainOne(data, plan, worker, hooks, { classes, fold, split, seed });
      ofFold.push(model);
      models.push(model);
      hooks.onModel?.(model, models.length, folds.length * plan.seeds.length);
    }
    for (const caseIndex of split.test) predictions.push(await judge(data, worker, ofFold, caseIndex));
  }
  const audits = folds.map((split) => auditSplit(data.cases, split));
  const figures = studyFigures(data.cases, classes, predictions, plan);
  return { classes, splits: folds, audits, models, predictions, figures };
}

interface Turn {
  readonly classes: readonly string[];
  readonly fold: number;
  readonly split: Split;
  readonly seed: number;
}

async function trainOne(
  data: StudyData,
  plan: StudyPlan,
  worker: Pick<TrainingWorker, 'train'>,
  hooks: StudyHooks,
  { classes, fold, split, seed }: Turn,
): Promise<StudyModel> {
  const spec: HeadSpec = { ...plan.head, featureDim: data.featureDim, classes: classes.length, seed };
  const training: HeadTraining = {
    ...plan.training,
    spec,
    regularisers: plan.regularisers,
    classWeights: plan.balanceClasses ? inverseShares(data.cases, classes, split.train) : classes.map(() => 1),
    seed,
  };
  const part = (indices: readonly number[]): BagSet => ({
    count: indices.length,
    get: async (i) => {
      const index = indices[i] ?? 0;
      const label = classes.indexOf(data.cases[index]?.label ?? '');
      return { features: await data.features(index), label };
    },
  });
  const trained = await worker.train(training, part(split.train), part(split.validation), {
    onEpoch: (record) => hooks.onEpoch?.(fold, seed, record),
    ...(hooks.signal === undefined ? {} : { signal: hooks.signal }),
  });
  const { weights, bestEpoch, history } = trained;
  return { fold, seed, spec, weights, bestEpoch, history };
}

async function judge(
  data: StudyData,
  worker: Pick<TrainingWorker, 'predict'>,
  models: readonly StudyModel[],
  caseIndex: number,
): Promise<OutOfFold> {
  const features = await data.features(caseIndex);
  const bySeed: number[][] = [];
  for (const { spec, weights } of models) {
    bySeed.push([...(await worker.predict(spec, weights, features)).probabilities]);
  }
  const classes = bySeed[0]?.length ?? 0;
  const probabilities = Array.from(
    { length: classes },
    (_, c) => bySeed.reduce((sum, row) => sum + (row[c] ?? 0), 0) / bySeed.length,
  );
  return { caseIndex, fold: models[0]?.fold ?? 0, probabilities, bySeed };
}

/** n / (classes x n_c) over the training part (scikit-learn's `balanced`). */
function inverseShares(cases: readonly StudyCase[], classes: readonly string[], train: readonly number[]): number[] {
  return classes.map((name) => {
    const count = train.filter((index) => cases[index]?.label === name).length;
    return train.length / (classes.length * Math.max(1, count));
  });
}
