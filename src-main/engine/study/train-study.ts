import { AppError } from '../../../src-shared/errors.ts';
import type { OperatingRule, StudyMapChecks, TrainedOn } from '../../../src-shared/model/study.ts';
import { RandomStream } from '../backbone/random-stream.ts';
import type { BagPrediction, HeadWeights } from '../learn/evaluate-head.ts';
import type { HeadRegularisers, HeadSpec } from '../learn/head-spec.ts';
import { type BagSet, type EpochRecord, type HeadTraining, shuffled } from '../learn/train-head.ts';
import type { TrainingWorker } from '../learn/training-worker.ts';
import { surveyBags } from './check-bags.ts';
import { MapCheckCollector } from './map-checks.ts';
import { macroAuc, rocAuc } from './metrics.ts';
import { chooseThreshold } from './operating-point.ts';
import { plannedSplits, type SplitPlan } from './plan-splits.ts';
import type { SlideVector } from './slide-typicality.ts';
import { auditSplit, type PartAudit, type Split, type StudyCase } from './splits.ts';
import { type FigureWithInterval, type FoldThresholds, type OutOfFold, studyFigures } from './study-figures.ts';

/** Slides with labels and their features; bags are fetched one at a time. */
export interface StudyData {
  readonly cases: readonly StudyCase[];
  readonly featureDim: number;
  /** tiles x featureDim of a case. */
  readonly features: (caseIndex: number) => Promise<Float32Array>;
  /** What a case's pixels look like, APPEARANCE_DIM numbers; null where they are not at hand. */
  readonly appearance?: (caseIndex: number) => Promise<Float64Array | null>;
}

export interface StudyPlan extends SplitPlan {
  readonly head: Pick<HeadSpec, 'pooling' | 'gated'>;
  readonly regularisers: HeadRegularisers;
  readonly training: Pick<
    HeadTraining,
    | 'optimiser'
    | 'rate'
    | 'weightDecay'
    | 'clipNorm'
    | 'epochs'
    | 'patience'
    | 'keepBestBy'
    | 'standardise'
    | 'warmupSteps'
  >;
  /** Tiles get labels of their own after a first solution, of two classes (see `relabelledTiles`). */
  readonly relabelled?: boolean;
  /** Weights each class by the inverse of its share in the training part. */
  readonly balanceClasses: boolean;
  /** One training per fold and seed; at least five are advised, so that seeds can be told from patients. */
  readonly seeds: readonly number[];
  /** The class that counts as positive where there are two; null = the second in alphabetical order. */
  readonly positiveClass: string | null;
  readonly operatingRule: OperatingRule;
  /** Heads trained on shuffled labels, one a fold, to check the maps against; 0 = none. */
  readonly shuffledHeads: number;
  /** Of the bootstrap; 2000 where left out. */
  readonly resamples?: number;
}

/** One trained head of the study. */
export interface StudyModel {
  readonly fold: number;
  readonly seed: number;
  readonly spec: HeadSpec;
  readonly weights: HeadWeights;
  readonly bestEpoch: number;
  readonly history: readonly EpochRecord[];
  /** Absent for a head that was kept before it was noted. */
  readonly trainedOn?: TrainedOn;
}

export interface StudyResult {
  readonly classes: readonly string[];
  /** Number of the positive class; null with more than two classes. */
  readonly positive: number | null;
  readonly splits: readonly Split[];
  readonly audits: readonly Readonly<Record<keyof Split, PartAudit>>[];
  readonly models: readonly StudyModel[];
  readonly predictions: readonly OutOfFold[];
  readonly figures: readonly FigureWithInterval[];
  /** By fold; empty with more than two classes. */
  readonly thresholds: readonly FoldThresholds[];
  readonly checks: StudyMapChecks | null;
  /** What validation and test slides were judged on at the end, each device once. */
  readonly evaluatedOn: readonly TrainedOn[];
  /** What each case is compared with unseen slides by. */
  readonly vectors: readonly SlideVector[];
}

export interface StudyHooks {
  /** A head that is trained already, from an attempt that was interrupted; null = train it. */
  readonly known?: (fold: number, seed: number) => StudyModel | null;
  /** Called when the bags have been looked at and training begins. */
  readonly onChecked?: () => void;
  readonly onEpoch?: (fold: number, seed: number, record: EpochRecord) => void;
  readonly onModel?: (model: StudyModel, done: number, total: number) => Promise<void> | void;
  readonly signal?: AbortSignal;
}

/**
 * Trains attention pooling on slide labels and judges it: patients stay whole, each fold's test part is never trained
 * or selected on (early stopping and thresholds look at the validation part), every case is judged by heads that never
 * saw it. Each head depends on its fold and seed alone, so an interrupted study ends as an uninterrupted one.
 *
 * @throws AppError InvalidRequest (one class only, leakage, too few patients, empty bags, features of other length or
 * not numbers: named before anything is trained), Cancelled.
 */
export async function trainStudy(
  data: StudyData,
  plan: StudyPlan,
  worker: Pick<TrainingWorker, 'train' | 'predict'>,
  hooks: StudyHooks = {},
): Promise<StudyResult> {
  const classes = classesOf(data.cases);
  const positive = positiveOf(classes, plan.positiveClass);
  if (plan.seeds.length === 0) throw new AppError('InvalidRequest', 'A study needs at least one seed.');
  const { splits } = plannedSplits(data.cases, plan);
  const vectors = await surveyBags(data.cases, data.featureDim, data.features, data.appearance);
  hooks.onChecked?.();
  const evaluatedOn = new Map<string, TrainedOn>();
  const context: Context = { data, plan, worker, hooks, classes, positive, evaluatedOn };
  const models: StudyModel[] = [];
  const predictions: OutOfFold[] = [];
  const thresholds: FoldThresholds[] = [];
  const checks = new MapCheckCollector(plan.head.pooling, plan.splitSeed);
  const shuffledAucs: number[] = [];
  for (const [fold, split] of splits.entries()) {
    const ofFold: StudyModel[] = [];
    for (const seed of plan.seeds) {
      const model = hooks.known?.(fold, seed) ?? (await trainOne(context, { fold, split, seed, shuffle: false }));
      ofFold.push(model);
      models.push(model);
      await hooks.onModel?.(model, models.length, splits.length * plan.seeds.length);
    }
    const control = fold < plan.shuffledHeads ? await trainControl(context, fold, split) : null;
    if (positive !== null) thresholds.push(await foldThresholds(context, ofFold, split, positive));
    const ofControl: number[][] = [];
    for (const caseIndex of split.test) {
      const judged = await judge(context, ofFold, caseIndex);
      predictions.push(outOfFold(judged, fold, caseIndex));
      if (checks.isFull && control === null) continue;
      const [other] = control === null ? [] : await judge(context, [control], caseIndex);
      if (other !== undefined) ofControl.push([...other.probabilities]);
      checks.add(judged, other ?? null);
    }
    if (control !== null) shuffledAucs.push(aucOf(context, split.test, ofControl));
  }
  const { splitSeed, resamples = 2000 } = plan;
  const figurePlan = { splitSeed, positive, thresholds, resamples };
  const known = shuffledAucs.filter((auc) => !Number.isNaN(auc));
  return {
    ...{ classes, positive, splits, models, predictions, thresholds, vectors },
    evaluatedOn: [...evaluatedOn.values()],
    audits: splits.map((split) => auditSplit(data.cases, split)),
    figures: await studyFigures(data.cases, classes, predictions, figurePlan),
    checks: checks.result(
      shuffledAucs.length,
      known.length === 0 ? null : known.reduce((sum, auc) => sum + auc, 0) / known.length,
    ),
  };
}

/** The labels in alphabetical order. Throws InvalidRequest where there is only one. */
export function classesOf(cases: readonly Pick<StudyCase, 'label'>[]): readonly string[] {
  const classes = [...new Set(cases.map(({ label }) => label))].sort();
  if (classes.length >= 2) return classes;
  throw new AppError('InvalidRequest', 'All slides of this study carry the same label.', {
    advice: 'A study needs slides of at least two classes.',
  });
}

/** Number of the positive class; null with more than two. Throws InvalidRequest for a class that is not there. */
export function positiveOf(classes: readonly string[], wanted: string | null): number | null {
  if (wanted !== null && !classes.includes(wanted)) {
    throw new AppError('InvalidRequest', `The positive class ${wanted} is no label of this study.`, {
      advice: `Its labels are: ${classes.join(', ')}.`,
    });
  }
  if (classes.length !== 2) return null;
  return wanted === null ? 1 : classes.indexOf(wanted);
}

interface Context {
  readonly data: StudyData;
  readonly plan: StudyPlan;
  readonly worker: Pick<TrainingWorker, 'train' | 'predict'>;
  readonly hooks: StudyHooks;
  readonly classes: readonly string[];
  readonly positive: number | null;
  /** Devices that heads were run forward on, by their JSON. */
  readonly evaluatedOn: Map<string, TrainedOn>;
}

interface Turn {
  readonly fold: number;
  readonly split: Split;
  readonly seed: number;
  /** True for a control: the labels of the training and the validation part are shuffled, each within itself. */
  readonly shuffle: boolean;
}

async function trainOne({ data, plan, worker, hooks, classes, positive }: Context, turn: Turn): Promise<StudyModel> {
  const { fold, split, seed, shuffle } = turn;
  const spec: HeadSpec = { ...plan.head, featureDim: data.featureDim, classes: classes.length, seed };
  const training: HeadTraining = {
    ...plan.training,
    spec,
    regularisers: plan.regularisers,
    classWeights: plan.balanceClasses ? inverseShares(data.cases, classes, split.train) : classes.map(() => 1),
    seed,
    ...(plan.relabelled === true && positive !== null && { backgroundClass: 1 - positive }),
  };
  const patients = new Map([...new Set(data.cases.map(({ group }) => group))].map((group, i) => [group, i]));
  const part = (indices: readonly number[], name: string): BagSet => {
    const labels = indices.map((index) => classes.indexOf(data.cases[index]?.label ?? ''));
    const order = shuffle ? shuffled(indices.length, new RandomStream(seed, `labels of ${name} ${fold}`)) : null;
    return {
      count: indices.length,
      get: async (i) => ({
        features: await data.features(indices[i] ?? 0),
        label: labels[order === null ? i : (order[i] ?? i)] ?? -1,
        patient: patients.get(data.cases[indices[i] ?? 0]?.group ?? '') ?? -1,
      }),
    };
  };
  const trained = await worker.train(training, part(split.train, 'train'), part(split.validation, 'validation'), {
    ...(shuffle ? {} : { onEpoch: (record: EpochRecord) => hooks.onEpoch?.(fold, seed, record) }),
    ...(hooks.signal === undefined ? {} : { signal: hooks.signal }),
  });
  return { fold, seed, spec, ...trained };
}

const trainControl = (context: Context, fold: number, split: Split): Promise<StudyModel> =>
  trainOne(context, { fold, split, seed: context.plan.seeds[0] ?? 1, shuffle: true });

/** What each of the heads says of one case; stops where the study is cancelled. */
async function judge(
  { data, worker, hooks, evaluatedOn }: Context,
  models: readonly StudyModel[],
  caseIndex: number,
): Promise<BagPrediction[]> {
  if (hooks.signal?.aborted) throw new AppError('Cancelled', 'The study was cancelled.');
  const features = await data.features(caseIndex);
  const predictions: BagPrediction[] = [];
  for (const { spec, weights } of models) {
    const prediction = await worker.predict(spec, weights, features);
    if (prediction.evaluatedOn !== undefined)
      evaluatedOn.set(JSON.stringify(prediction.evaluatedOn), prediction.evaluatedOn);
    predictions.push(prediction);
  }
  return predictions;
}

function outOfFold(judged: readonly BagPrediction[], fold: number, caseIndex: number): OutOfFold {
  const bySeed = judged.map(({ probabilities }) => [...probabilities]);
  return { caseIndex, fold, probabilities: meanRows(bySeed), bySeed };
}

async function foldThresholds(
  context: Context,
  models: readonly StudyModel[],
  split: Split,
  positive: number,
): Promise<FoldThresholds> {
  const { data, plan, classes } = context;
  const truth = split.validation.map((i) => Number(classes.indexOf(data.cases[i]?.label ?? '') === positive));
  const bySeed: number[][] = models.map(() => []);
  for (const caseIndex of split.validation) {
    const judged = await judge(context, models, caseIndex);
    judged.forEach(({ probabilities }, seed) => {
      bySeed[seed]?.push(probabilities[positive] ?? 0);
    });
  }
  return {
    ofMean: chooseThreshold(truth, meanRows(bySeed), plan.operatingRule),
    bySeed: bySeed.map((scores) => chooseThreshold(truth, scores, plan.operatingRule)),
  };
}

function aucOf({ data, classes, positive }: Context, cases: readonly number[], rows: readonly number[][]): number {
  const truth = cases.map((i) => classes.indexOf(data.cases[i]?.label ?? ''));
  if (positive === null) return macroAuc(truth, Float64Array.from(rows.flat()), classes.length);
  return rocAuc(
    truth.map((label) => Number(label === positive)),
    rows.map((row) => row[positive] ?? 0),
  );
}

function meanRows(rows: readonly (readonly number[])[]): number[] {
  return Array.from(rows[0] ?? [], (_, c) => rows.reduce((sum, row) => sum + (row[c] ?? 0), 0) / rows.length);
}

/** n / (classes x n_c) over the training part (scikit-learn's `balanced`). */
function inverseShares(cases: readonly StudyCase[], classes: readonly string[], train: readonly number[]): number[] {
  return classes.map((name) => {
    const count = train.filter((index) => cases[index]?.label === name).length;
    return train.length / (classes.length * Math.max(1, count));
  });
}
