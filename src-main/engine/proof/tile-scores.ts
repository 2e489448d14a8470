import { mean, sampleSd } from '../../../src-shared/numeric/statistics.ts';
import { rocAuc } from '../study/metrics.ts';
import type { MadeBag } from './make-bags.ts';
import type { TrialResult } from './trial.ts';

/**
 * What may be taken for a tile's score, all from bag labels alone.
 * - `attention`: the attention before the softmax.
 * - `contribution`: attention times what the tile adds to the logit, as contribution maps show it.
 * - `classifier`: the head's own verdict on the tile as a bag of one.
 */
export type TileScore = 'attention' | 'contribution' | 'classifier';

/** Scores a head has: without attention the contribution is the classifier's, up to a factor. */
export function tileScoresOf(pooling: string): readonly TileScore[] {
  return pooling === 'mean' || pooling === 'max' ? ['classifier'] : ['attention', 'contribution', 'classifier'];
}

/** Scores of all tiles. Contributions are those of a bag that holds every tile once, up to a factor. */
export function scoresOfTiles(result: TrialResult, score: TileScore): Float64Array {
  if (score === 'attention') return result.attention;
  if (score === 'classifier') return result.pull.map((_, tile) => verdict(result, tile));
  const top = result.attention.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return result.pull.map((pull, tile) => Math.exp((result.attention[tile] ?? 0) - top) * pull);
}

/** How well a tile score separates bags. */
export interface Separation {
  /** AUC of the bags' labels by the mean score of their highest tiles. */
  readonly auc: number;
  /** Difference of the two means over the pooled standard deviation: tells candidates apart whose AUC is 1. */
  readonly gap: number;
  /** Standard error of the AUC over seeds; absent of a single one. */
  readonly aucError?: number;
}

/** Mean over seeds. */
export function meanSeparation(bySeed: readonly Separation[]): Separation {
  const aucs = bySeed.map(({ auc }) => auc);
  const mid = { auc: mean(aucs), gap: mean(bySeed.map(({ gap }) => gap)) };
  return aucs.length < 2 ? mid : { ...mid, aucError: sampleSd(aucs) / Math.sqrt(aucs.length) };
}

/** Share of a bag's tiles that `separation` looks at: the least share of positive tiles in a positive bag. */
const HIGHEST_SHARE = 0.1;

/** What validation bags say of a tile score, without a tile's label: positive bags must hold the higher scores. */
export function separation(scores: Float64Array, bags: readonly MadeBag[]): Separation {
  const heights = bags.map(({ tiles }) => {
    const sorted = Float64Array.from(tiles, (tile) => scores[tile] ?? 0).sort();
    return mean(sorted.subarray(sorted.length - Math.max(1, Math.round(HIGHEST_SHARE * sorted.length))));
  });
  const labels = bags.map(({ label }) => label);
  const [high, low] = [1, 0].map((label) => heights.filter((_, i) => labels[i] === label));
  const spread = Math.sqrt((sampleSd(high ?? []) ** 2 + sampleSd(low ?? []) ** 2) / 2);
  return { auc: rocAuc(labels, heights), gap: (mean(high ?? []) - mean(low ?? [])) / Math.max(spread, 1e-12) };
}

/** Positive logit less the other of a tile as a bag of its own. */
function verdict({ logits }: TrialResult, tile: number): number {
  return (logits[2 * tile + 1] ?? 0) - (logits[2 * tile] ?? 0);
}

/**
 * A bag's positive logit less the other, from what the head says of each tile alone: mean and attention pooling weigh
 * these verdicts, max pooling takes the largest of each class. Equal to the forward pass over the bag, but fast enough to
 * judge bags made again and again from resampled tiles.
 */
export function bagLogit(pooling: string, result: TrialResult, tiles: ArrayLike<number>): number {
  if (pooling === 'max') return highest(result, tiles, 1) - highest(result, tiles, 0);
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < tiles.length; i++) top = Math.max(top, result.attention[tiles[i] ?? 0] ?? 0);
  let [sum, weights] = [0, 0];
  for (let i = 0; i < tiles.length; i++) {
    const tile = tiles[i] ?? 0;
    const weight = pooling === 'mean' ? 1 : Math.exp((result.attention[tile] ?? 0) - top);
    sum += weight * verdict(result, tile);
    weights += weight;
  }
  return sum / weights;
}

function highest({ logits }: TrialResult, tiles: ArrayLike<number>, ofClass: number): number {
  let best = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < tiles.length; i++) best = Math.max(best, logits[2 * (tiles[i] ?? 0) + ofClass] ?? 0);
  return best;
}
