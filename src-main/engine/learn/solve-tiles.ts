import { AppError } from '../../../src-shared/errors.ts';
import { deviceLabel } from '../infer/device.ts';
import { minimiseFetching } from '../study/lbfgs.ts';
import { type BagSet, rememberedBags } from './bag.ts';
import type { HeadWeights } from './evaluate-head.ts';
import type { HeadSpec } from './head-spec.ts';
import type { EpochRecord, HeadTraining, TrainedHead, TrainingHooks } from './head-training.ts';
import { relabelledTiles } from './relabel-tiles.ts';
import { penalise, slideLabels, type Targets, tileLoss } from './tile-loss.ts';

/** From a head that says nothing to one that is hardly held back; features have variance 1. */
export const TILE_PENALTIES: readonly number[] = [10, 3, 1, 0.3, 0.1, 0.03, 0.01];

/** Penalties without a better validation loss after which weaker ones are not tried. */
const PATIENCE = 2;
const TOLERANCE = 1e-5;
const MOST_ITERATIONS = 200;
/** Bags up to this size are kept in memory: hundreds of evaluations each ask for all of them. */
const REMEMBERED_BYTES = 256 * 2 ** 20;

/**
 * The linear head whose tiles tell their slide's label best: minimises the mean over slides of the mean cross-entropy of a
 * slide's tiles, each carrying its slide's label, plus penalty/2 times the squared weights (multinomial logistic regression
 * with slides of equal weight). This is convex: there is one best head, found by L-BFGS whatever the seed, where steps of
 * one slide each stay noisy. Tiles of no meaning carry all labels in their slides' proportion, tiles that only one class
 * has carry its label alone, so tiles are ranked by what they say of the class. Penalties are tried from the first on, each
 * from the last one's weights; the one whose tiles of validation slides have the least cross-entropy is kept.
 *
 * Where the training names a class whose slides hold nothing of the other (`backgroundClass`), tiles then get labels of
 * their own and the head is solved for again (see `relabelledTiles`).
 *
 * Float64; every evaluation fetches every bag once, one at a time, but those that are kept in memory.
 *
 * @param trainingBags bags with features of one scale, N x D each.
 * @returns as `trainHead`; a record of the history stands for a penalty.
 * @throws AppError Cancelled; InvalidRequest for another pooling than the mean, or a background class of other than two.
 */
export async function solveTiles(
  training: HeadTraining,
  trainingBags: BagSet,
  validation: BagSet,
  hooks: TrainingHooks,
): Promise<TrainedHead> {
  const train = rememberedBags(trainingBags, REMEMBERED_BYTES);
  const { spec, backgroundClass } = training;
  if (spec.pooling !== 'mean') {
    throw new AppError('InvalidRequest', 'Only the mean of tiles can be solved for.', {
      advice: 'Choose mean pooling, or a training in steps.',
    });
  }
  const path = await bestPenalty(training, train, validation, hooks);
  const x =
    backgroundClass === undefined
      ? path.x
      : await relabelledTiles(spec, path.x, train, {
          ...{ background: backgroundClass, classWeights: training.classWeights, held: validation },
          penalty: path.penalty,
          solve: (from, bags, targets, penalty, tolerance) =>
            solved(spec, from, bags, targets, penalty, hooks.signal, tolerance),
        });
  const trainedOn = { device: deviceLabel('cpu'), refused: [] };
  return { weights: weightsOf(x, spec), bestEpoch: path.bestEpoch, history: path.history, trainedOn };
}

interface PenaltyPath {
  readonly x: Float64Array;
  readonly penalty: number;
  /** Place of the penalty in the history, from 1. */
  readonly bestEpoch: number;
  readonly history: readonly EpochRecord[];
}

async function bestPenalty(
  { spec, classWeights, penalties = TILE_PENALTIES, keepLast = false }: HeadTraining,
  train: BagSet,
  validation: BagSet,
  { signal, onEpoch }: TrainingHooks,
): Promise<PenaltyPath> {
  const ofTrain = slideLabels(train, spec.classes, classWeights);
  const ofValidation = slideLabels(validation, spec.classes, classWeights);
  const history: EpochRecord[] = [];
  let x: Float64Array = new Float64Array((spec.featureDim + 1) * spec.classes);
  let [best, least, kept, keptPenalty] = [0, Number.POSITIVE_INFINITY, x, 0];
  for (const [i, penalty] of penalties.entries()) {
    x = await solved(spec, x, train, ofTrain, penalty, signal);
    const fitted = await tileLoss(spec, x, train, ofTrain, null);
    const held = await tileLoss(spec, x, validation, ofValidation, null);
    const record = {
      ...{ epoch: i + 1, trainLoss: fitted.loss, validationLoss: held.loss },
      ...{ validationAccuracy: held.accuracy, penalty },
    };
    history.push(record);
    onEpoch?.(record);
    if (keepLast || held.loss < least) [best, least, kept, keptPenalty] = [i + 1, held.loss, x, penalty];
    else if (i + 1 - best >= PATIENCE) break;
  }
  if (best === 0) throw new AppError('InvalidRequest', 'Training needs at least one penalty.');
  return { x: kept, penalty: keptPenalty, bestEpoch: best, history };
}

/** The weights of least penalised loss. */
async function solved(
  spec: HeadSpec,
  from: Float64Array,
  bags: BagSet,
  targets: Targets,
  penalty: number,
  signal: AbortSignal | undefined,
  tolerance = TOLERANCE,
): Promise<Float64Array> {
  const objective = async (at: Float64Array, gradient: Float64Array): Promise<number> => {
    if (signal?.aborted) throw new AppError('Cancelled', 'Training was cancelled.');
    const { loss } = await tileLoss(spec, at, bags, targets, gradient);
    return loss + penalise(at, spec.featureDim * spec.classes, penalty, gradient);
  };
  return (await minimiseFetching(objective, from, tolerance, MOST_ITERATIONS)).x.slice();
}

function weightsOf(x: Float64Array, { featureDim, classes }: HeadSpec): HeadWeights {
  const biases = featureDim * classes;
  return new Map([
    ['classify_weight', Float32Array.from(x.subarray(0, biases))],
    ['classify_bias', Float32Array.from(x.subarray(biases))],
  ]);
}
