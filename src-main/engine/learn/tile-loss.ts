import type { BagSet } from './bag.ts';
import type { HeadSpec } from './head-spec.ts';

/** What the tiles of a bag are asked for. */
export interface TileTargets {
  /** A class for each tile. */
  readonly labels: Uint8Array;
  /** What a tile of each class counts. */
  readonly weights: ArrayLike<number>;
}

/** Gives the targets of bag `index`, which has so many tiles. */
export type Targets = (index: number, label: number, tiles: number) => TileTargets;

/** Every tile carries its slide's label; slides count alike, but for the weights of their classes. */
export function slideLabels(bags: BagSet, classes: number, classWeights: readonly number[]): Targets {
  return (_, label, tiles) => {
    const weights = new Float64Array(classes);
    weights[label] = (classWeights[label] ?? 1) / tiles / Math.max(1, bags.count);
    return { labels: new Uint8Array(tiles).fill(label), weights };
  };
}

/**
 * Weighted cross-entropy of tiles under a linear score, and the share of slides whose mean logits are right.
 * Float64; every bag is fetched once, one at a time.
 *
 * @param x D x C weights, then C biases. @param gradient of the loss, overwritten; null = not wanted.
 */
export async function tileLoss(
  { featureDim, classes }: HeadSpec,
  x: Float64Array,
  bags: BagSet,
  targets: Targets,
  gradient: Float64Array | null,
): Promise<{ readonly loss: number; readonly accuracy: number }> {
  gradient?.fill(0);
  const logits = new Float64Array(classes);
  let [loss, right] = [0, 0];
  for (let b = 0; b < bags.count; b++) {
    const { features, label } = await bags.get(b);
    const tiles = features.length / featureDim;
    const { labels, weights } = targets(b, label, tiles);
    const sums = new Float64Array(classes);
    for (let tile = 0; tile < tiles; tile++) {
      const first = tile * featureDim;
      const wanted = labels[tile] as number;
      const weight = weights[wanted] as number;
      tileLogits(x, features, first, featureDim, logits);
      for (let c = 0; c < classes; c++) sums[c] = (sums[c] as number) + (logits[c] as number);
      loss += weight * crossEntropy(logits, wanted);
      // `crossEntropy` left its derivative by the logits in their place.
      if (gradient !== null && weight !== 0) addGradient(gradient, features, first, featureDim, weight, logits);
    }
    right += Number(sums.indexOf(Math.max(...sums)) === label);
  }
  return { loss, accuracy: right / Math.max(1, bags.count) };
}

/** Logits of the tile whose features begin at `first`. */
export function tileLogits(
  x: Float64Array,
  features: Float32Array,
  first: number,
  featureDim: number,
  logits: Float64Array,
): void {
  const classes = logits.length;
  const biases = featureDim * classes;
  if (classes === 2) {
    // Written out: this and `addGradient` are all the time that solving takes.
    let [one, other] = [x[biases] as number, x[biases + 1] as number];
    for (let d = 0, at = 0; d < featureDim; d++, at += 2) {
      const value = features[first + d] as number;
      one += value * (x[at] as number);
      other += value * (x[at + 1] as number);
    }
    logits[0] = one;
    logits[1] = other;
    return;
  }
  for (let c = 0; c < classes; c++) logits[c] = x[biases + c] as number;
  for (let d = 0; d < featureDim; d++) {
    const value = features[first + d] as number;
    const row = d * classes;
    for (let c = 0; c < classes; c++) logits[c] = (logits[c] as number) + value * (x[row + c] as number);
  }
}

/** Adds a tile's part, of what the loss changes by with its logits. */
function addGradient(
  gradient: Float64Array,
  features: Float32Array,
  first: number,
  featureDim: number,
  weight: number,
  byLogits: Float64Array,
): void {
  const classes = byLogits.length;
  const biases = featureDim * classes;
  if (classes === 2) {
    const [one, other] = [weight * (byLogits[0] as number), weight * (byLogits[1] as number)];
    for (let d = 0, at = 0; d < featureDim; d++, at += 2) {
      const value = features[first + d] as number;
      gradient[at] = (gradient[at] as number) + value * one;
      gradient[at + 1] = (gradient[at + 1] as number) + value * other;
    }
    gradient[biases] = (gradient[biases] as number) + one;
    gradient[biases + 1] = (gradient[biases + 1] as number) + other;
    return;
  }
  for (let d = 0; d < featureDim; d++) {
    const value = weight * (features[first + d] as number);
    const row = d * classes;
    for (let c = 0; c < classes; c++)
      gradient[row + c] = (gradient[row + c] as number) + value * (byLogits[c] as number);
  }
  for (let c = 0; c < classes; c++) {
    gradient[biases + c] = (gradient[biases + c] as number) + weight * (byLogits[c] as number);
  }
}

/** Adds penalty/2 times the squared weights to a loss and its gradient; the biases, behind them, stay free. */
export function penalise(x: Float64Array, weights: number, penalty: number, gradient: Float64Array): number {
  let squares = 0;
  for (let i = 0; i < weights; i++) {
    const value = x[i] as number;
    squares += value * value;
    gradient[i] = (gradient[i] as number) + penalty * value;
  }
  return (penalty / 2) * squares;
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
