import { percentiles } from '../../../src-shared/numeric/float-ranks.ts';
import type { BagPrediction } from './evaluate-head.ts';
import type { Pooling } from './head-spec.ts';

/** Raised where the same heads on the same features would give other numbers than before. */
export const ENSEMBLE_VERSION = 1;

/** What several heads say of one bag together: everything its maps, its prediction and their agreement are drawn from. */
export interface Ensemble {
  /** Heads that are in it. */
  readonly heads: number;
  readonly classes: number;
  /** Length = tiles: mean attention times the number of tiles; 1 = the average tile. */
  readonly attention: Float32Array;
  /** tiles x classes: mean of what each tile adds to each logit. */
  readonly contributions: Float32Array;
  /** Length = tiles: standard deviation over the heads of the tile's percentile; 0 with one head. */
  readonly spread: Float32Array;
  /** Probabilities by each head, by its number in the list of all; null = not in it yet. */
  readonly probabilities: readonly (readonly number[] | null)[];
  /** Mean Spearman correlation over all pairs of heads whose maps vary; null with fewer than two of them. */
  readonly agreement: number | null;
}

/**
 * Adds up heads one by one; what is kept does not grow with their number. Spreads by Welford's update, so that heads that
 * agree differ by 0; the mean correlation over all pairs from the sum of their standardised ranks: with v maps z_i of
 * length n and variance 1 it is (|sum z|^2 - v n) / (v (v - 1) n).
 */
export class EnsembleSum {
  readonly #pooling: Pooling;
  readonly #probabilities: (readonly number[] | null)[];
  #heads = 0;
  #classes = 0;
  #attention = new Float64Array(0);
  #contributions = new Float64Array(0);
  #rankMean = new Float64Array(0);
  #rankSquares = new Float64Array(0);
  #ranks = new Float64Array(0);
  #varying = 0;

  /** @param heads that will be added in all. */
  constructor(pooling: Pooling, heads: number) {
    this.#pooling = pooling;
    this.#probabilities = new Array<readonly number[] | null>(heads).fill(null);
  }

  get heads(): number {
    return this.#heads;
  }

  /** @param index of the head in the list of all. */
  add(index: number, prediction: BagPrediction): void {
    const { attention, contributions, probabilities } = prediction;
    const tiles = attention.length;
    if (this.#heads === 0) this.#begin(tiles, contributions.length, probabilities.length);
    this.#heads++;
    this.#probabilities[index] = [...probabilities];
    for (let t = 0; t < tiles; t++) {
      this.#attention[t] = (this.#attention[t] as number) + (attention[t] as number) * tiles;
    }
    for (let at = 0; at < contributions.length; at++) {
      this.#contributions[at] = (this.#contributions[at] as number) + (contributions[at] as number);
    }
    this.#addRanks(percentiles(tileWorth(this.#pooling, prediction)));
  }

  /** What has been added so far, on memory of its own. */
  snapshot(): Ensemble {
    const heads = Math.max(1, this.#heads);
    const free = Math.max(1, this.#heads - 1);
    return {
      ...{ heads: this.#heads, classes: this.#classes },
      attention: divided(this.#attention, heads),
      contributions: divided(this.#contributions, heads),
      spread: divided(this.#rankSquares, free).map(Math.sqrt),
      probabilities: [...this.#probabilities],
      agreement: this.#agreement(),
    };
  }

  #begin(tiles: number, contributions: number, classes: number): void {
    this.#classes = classes;
    this.#attention = new Float64Array(tiles);
    this.#contributions = new Float64Array(contributions);
    this.#rankMean = new Float64Array(tiles);
    this.#rankSquares = new Float64Array(tiles);
    this.#ranks = new Float64Array(tiles);
  }

  #addRanks(ranks: Float32Array): void {
    let squares = 0;
    for (let t = 0; t < ranks.length; t++) {
      const rank = ranks[t] as number;
      const off = rank - (this.#rankMean[t] as number);
      this.#rankMean[t] = (this.#rankMean[t] as number) + off / this.#heads;
      this.#rankSquares[t] = (this.#rankSquares[t] as number) + off * (rank - (this.#rankMean[t] as number));
      // Ranks with ties have the mean that ranks without have.
      squares += (rank - MIDDLE) ** 2;
    }
    if (ranks.length < 2 || squares === 0) return;
    this.#varying++;
    const scale = Math.sqrt(squares / ranks.length);
    for (let t = 0; t < ranks.length; t++) {
      this.#ranks[t] = (this.#ranks[t] as number) + ((ranks[t] as number) - MIDDLE) / scale;
    }
  }

  #agreement(): number | null {
    const [maps, tiles] = [this.#varying, this.#ranks.length];
    if (maps < 2) return null;
    let length = 0;
    for (const sum of this.#ranks) length += sum * sum;
    return (length / tiles - maps) / (maps * (maps - 1));
  }
}

/** The mean of percentiles. */
const MIDDLE = 50;

function divided(sums: Float64Array, by: number): Float32Array {
  const result = new Float32Array(sums.length);
  for (let i = 0; i < sums.length; i++) result[i] = (sums[i] as number) / by;
  return result;
}

/** What each tile is worth to the map: attention; for the controls, which have none, what it adds to the called class. */
export function tileWorth(pooling: Pooling, prediction: BagPrediction): Float32Array {
  if (pooling !== 'mean' && pooling !== 'max') return prediction.attention;
  const classes = prediction.logits.length;
  const called = prediction.logits.indexOf(Math.max(...prediction.logits));
  const tiles = prediction.attention.length;
  return Float32Array.from({ length: tiles }, (_, t) => prediction.contributions[t * classes + called] ?? 0);
}
