/**
 * Ways from a bag of features to slide-level logits.
 *
 * - `histotransfer`: Linear(D,256)-ReLU-Linear(256,64)-ReLU, attention Linear(64,32)-Tanh-Linear(32,1), Linear(64,C)
 *   (Sharma et al., HistoTransfer, arXiv 2106.07068, official code: non-gated).
 * - `abmil`: Linear(D,512)-ReLU, attention of width 128, Linear(512,C) (Ilse et al., 2018, on features).
 * - `clam-sb`: Linear(D,512)-ReLU, gated attention of width 256, instance loss on the 8 most and least attended tiles
 *   (Lu et al., 2021, single branch; written from the paper).
 * - `mean`, `max`: controls without attention: the mean, or per class the largest, of the tiles' linear scores.
 */
export type Pooling = 'histotransfer' | 'abmil' | 'clam-sb' | 'mean' | 'max';

export interface HeadSpec {
  readonly pooling: Pooling;
  /** Attention multiplied by a sigmoid gate (Ilse et al., 2018, equation 9); always so for `clam-sb`. */
  readonly gated: boolean;
  readonly featureDim: number;
  readonly classes: number;
  /** Seed of the first weights. */
  readonly seed: number;
}

/** Training-time aids against collapse; 0 switches each off. They never act in evaluation. */
export interface HeadRegularisers {
  /** Share of embedding dimensions dropped per step, the same for all tiles of the bag. */
  readonly featureDropout: number;
  /** Share of tiles hidden from the attention per step. */
  readonly tileDropout: number;
  /** Weight of the attention's negative entropy (in nats over log N) in the loss. */
  readonly entropyWeight: number;
  /** Share of the loss taken by CLAM's instance loss; 0.3 in its paper. Used by `clam-sb` only. */
  readonly instanceWeight: number;
  /**
   * Share of the loss in which every tile carries its slide's label, judged by the head's own last layer as a bag of one
   * (HistoTransfer's code has such a loss, with a layer of its own and weight 0). 0 or absent = none.
   */
  readonly tileWeight?: number;
}

export const NO_REGULARISERS: HeadRegularisers = {
  featureDropout: 0,
  tileDropout: 0,
  entropyWeight: 0,
  instanceWeight: 0,
};

/** Tiles at each end of the attention that CLAM's instance loss looks at. */
export const INSTANCE_TILES = 8;

/** Widths of the layers before the pooling; the last is the length of a tile's embedding. */
export function embeddingWidths(pooling: Pooling): readonly number[] {
  if (pooling === 'histotransfer') return [256, 64];
  return pooling === 'abmil' || pooling === 'clam-sb' ? [512] : [];
}

export function attentionWidth(pooling: Pooling): number {
  return { histotransfer: 32, abmil: 128, 'clam-sb': 256, mean: 0, max: 0 }[pooling];
}
