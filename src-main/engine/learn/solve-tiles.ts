import { AppError } from '../../../src-shared/errors.ts';
import { deviceLabel } from '../infer/device.ts';
import { minimiseFetching } from '../study/lbfgs.ts';
import type { BagSet } from './bag.ts';
import type { HeadWeights } from './evaluate-head.ts';
import type { HeadSpec } from './head-spec.ts';
import type { EpochRecord, HeadTraining, TrainedHead, TrainingHooks } from './head-training.ts';

/** From a head that says nothing to one that is hardly held back; features have variance 1. */
export const TILE_PENALTIES: readonly number[] = [10, 3, 1, 0.3, 0.1, 0.03, 0.01];

/** Penalties without a better validation loss after which weaker ones are not tried. */
const PATIENCE = 2;
const TOLERANCE = 1e-5;
const MOST_ITERATIONS = 200;

/**
 * The linear head whose tiles tell their slide's label best: minimises the mean over slides of the mean cross-entropy of a
 * slide's tiles, each carrying its slide's label, plus penalty/2 times the squared weights (multinomial logistic regression
 * with slides of equal weight). This is convex: there is one best head, found by L-BFGS whatever the seed, where steps of
 * one slide each stay noisy. Tiles of no meaning carry all labels in their slides' proportion, tiles that only one class
 * has carry its label alone, so tiles are ranked by what they say of the class. Penalties are tried from the first on, each
 * from the last one's weights; the one whose tiles of validation slides have the least cross-entropy is kept.
 *
 * Float64; every evaluation fetches every bag once, one at a time.
 *
 * @param train bags with features of one scale, N x D each.
 * @returns as `trainHead`; a record of the history stands for a penalty.
 * @throws AppError Cancelled; InvalidRequest for another pooling than the mean.
 */
export async function solveTiles(
  { spec, classWeights, penalties = TILE_PENALTIES, keepLast = false }: HeadTraining,
  train: BagSet,
  validation: BagSet,
  { signal, onEpoch }: TrainingHooks,
): Promise<TrainedHead> {
  if (spec.pooling !== 'mean') {
    throw new AppError('InvalidRequest', 'Only the mean of tiles can be solved for.', {
      advice: 'Choose mean pooling, or a training in steps.',
    });
  }
  const { featureDim, classes } = spec;
  const history: EpochRecord[] = [];
  let x = new Float64Array((featureDim + 1) * classes);
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  let weights: HeadWeights = new Map();
  for (const [i, penalty] of penalties.entries()) {
    const objective = async (at: Float64Array, gradient: Float64Array): Promise<number> => {
      if (signal?.aborted) throw new AppError('Cancelled', 'Training was cancelled.');
      const { loss } = await judge(spec, at, train, classWeights, gradient);
      return loss + penalise(at, featureDim * classes, penalty, gradient);
    };
    x = (await minimiseFetching(objective, x, TOLERANCE, MOST_ITERATIONS)).x.slice();
    const fitted = await judge(spec, x, train, classWeights, null);
    const held = await judge(spec, x, validation, classWeights, null);
    const record = {
      ...{ epoch: i + 1, trainLoss: fitted.loss, validationLoss: held.loss },
      ...{ validationAccuracy: held.accuracy, penalty },
    };
    history.push(record);
    onEpoch?.(record);
    if (keepLast || held.loss < least) [best, least, weights] = [i + 1, held.loss, weightsOf(x, spec)];
    else if (i + 1 - best >= PATIENCE) break;
  }
  if (best === 0) throw new AppError('InvalidRequest', 'Training needs at least one penalty.');
  return { weights, bestEpoch: best, history, trainedOn: { device: deviceLabel('cpu'), refused: [] } };
}

/** Adds penalty times the weights to the gradient; the biases, behind them, stay free. */
function penalise(x: Float64Array, weights: number, penalty: number, gradient: Float64Array): number {
  let squares = 0;
  for (let i = 0; i < weights; i++) {
    const value = x[i] as number;
    squares += value * value;
    gradient[i] = (gradient[i] as number) + penalty * value;
  }
  return (penalty / 2) * squares;
}

/**
 * Mean over slides of their tiles' mean cross-entropy, and the share of slides whose mean logits are right.
 * @param x D x C weights, then C biases. @param gradient of the loss, overwritten; null = not wanted.
 */
async function judge(
  { featureDim, classes }: HeadSpec,
  x: Float64Array,
  bags: BagSet,
  classWeights: readonly number[],
  gradient: Float64Array | null,
): Promise<{ readonly loss: number; readonly accuracy: number }> {
  gradient?.fill(0);
  const biases = featureDim * classes;
  const logits = new Float64Array(classes);
  const count = Math.max(1, bags.count);
  let [loss, right] = [0, 0];
  for (let b = 0; b < bags.count; b++) {
    const { features, label } = await bags.get(b);
    const tiles = features.length / featureDim;
    const weight = (classWeights[label] ?? 1) / tiles / count;
    const sums = new Float64Array(classes);
    for (let tile = 0; tile < tiles; tile++) {
      const first = tile * featureDim;
      for (let c = 0; c < classes; c++) logits[c] = x[biases + c] as number;
      for (let d = 0; d < featureDim; d++) {
        const value = features[first + d] as number;
        const row = d * classes;
        for (let c = 0; c < classes; c++) logits[c] = (logits[c] as number) + value * (x[row + c] as number);
      }
      for (let c = 0; c < classes; c++) sums[c] = (sums[c] as number) + (logits[c] as number);
      loss += weight * crossEntropy(logits, label);
      if (gradient === null) continue;
      // `crossEntropy` left its derivative by the logits in their place.
      for (let d = 0; d < featureDim; d++) {
        const value = weight * (features[first + d] as number);
        const row = d * classes;
        for (let c = 0; c < classes; c++)
          gradient[row + c] = (gradient[row + c] as number) + value * (logits[c] as number);
      }
      for (let c = 0; c < classes; c++) {
        gradient[biases + c] = (gradient[biases + c] as number) + weight * (logits[c] as number);
      }
    }
    right += Number(sums.indexOf(Math.max(...sums)) === label);
  }
  return { loss, accuracy: right / count };
}

/** Cross-entropy of a label; the logits become their probabilities less the label's one. */
function crossEntropy(logits: Float64Array, label: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < logits.length; c++) top = Math.max(top, logits[c] as number);
  const ofLabel = (logits[label] as number) - top;
  let sum = 0;
  for (let c = 0; c < logits.length; c++) {
    logits[c] = Math.exp((logits[c] as number) - top);
    sum += logits[c] as number;
  }
  for (let c = 0; c < logits.length; c++) logits[c] = (logits[c] as number) / sum;
  logits[label] = (logits[label] as number) - 1;
  return Math.log(sum) - ofLabel;
}

function weightsOf(x: Float64Array, { featureDim, classes }: HeadSpec): HeadWeights {
  const biases = featureDim * classes;
  return new Map([
    ['classify_weight', Float32Array.from(x.subarray(0, biases))],
    ['classify_bias', Float32Array.from(x.subarray(biases))],
  ]);
}
