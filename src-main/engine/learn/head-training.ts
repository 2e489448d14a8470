import type { TrainedOn } from '../../../src-shared/model/study.ts';
import type { OptimiserSpec } from '../graph/optimise/optimiser.ts';
import type { HeadWeights } from './evaluate-head.ts';
import type { HeadRegularisers, HeadSpec } from './head-spec.ts';
import type { TrainingDevices } from './training-devices.ts';

export interface HeadTraining {
  readonly spec: HeadSpec;
  readonly regularisers: HeadRegularisers;
  readonly optimiser: OptimiserSpec;
  readonly rate: number;
  readonly weightDecay: number;
  readonly clipNorm: number | null;
  readonly epochs: number;
  /** Epochs without a better validation value before training stops; null = never early. */
  readonly patience: number | null;
  /** What the kept weights are best at; `accuracy` lets later ties win, as HistoTransfer's code does. */
  readonly keepBestBy: 'loss' | 'accuracy';
  /** Weight of each class in the loss; all 1 = none. */
  readonly classWeights: readonly number[];
  /** Seed of order and masks; the first weights have their own (`spec.seed`). */
  readonly seed: number;
  /**
   * True: every feature is brought to mean 0 and variance 1 of the training bags. The scaling becomes part of the kept
   * weights, so that the trained head takes features as they are.
   */
  readonly standardise?: boolean;
  /** Steps over which the learning rate rises to `rate` in equal parts; 0 or absent = none. */
  readonly warmupSteps?: number;
  /**
   * Present: no steps are taken; the best linear score of tiles is solved for under each of these penalties (see
   * `solveTiles`), on features of one scale. Mean pooling only.
   */
  readonly penalties?: readonly number[];
  /**
   * Beside `penalties`, with two classes: the class whose slides hold nothing of the other. Tiles then get labels of their own
   * and are solved for again (see `relabelledTiles`).
   */
  readonly backgroundClass?: number;
  /** True: the weights of the last epoch are kept, whatever validation says of them. */
  readonly keepLast?: boolean;
  /** Threads of the session; 0 or absent = all cores. */
  readonly threads?: number;
}

/** HistoTransfer's stage 1 as its code runs it: Adam 1e-3, 20 epochs, one slide a step, best validation accuracy. */
export const HISTOTRANSFER_TRAINING = {
  optimiser: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  rate: 1e-3,
  weightDecay: 0,
  clipNorm: null,
  epochs: 20,
  patience: null,
  keepBestBy: 'accuracy',
} as const;

export interface EpochRecord {
  readonly epoch: number;
  readonly trainLoss: number;
  readonly validationLoss: number;
  readonly validationAccuracy: number;
  /** Where weights are solved for: the penalty this record belongs to. */
  readonly penalty?: number;
}

export interface TrainedHead {
  readonly weights: HeadWeights;
  readonly bestEpoch: number;
  readonly history: readonly EpochRecord[];
  /** Absent for what is solved instead of trained in steps: no device takes part. */
  readonly trainedOn?: TrainedOn;
}

export interface TrainingHooks {
  readonly onEpoch?: (record: EpochRecord) => void;
  readonly signal?: AbortSignal;
  /** Tiles of a bag that are computed at once; a larger bag goes through in parts, with the gradient of the whole. */
  readonly tilesAtOnce?: number;
  /** What it may run on; the CPU alone where left out. */
  readonly devices?: TrainingDevices;
}
