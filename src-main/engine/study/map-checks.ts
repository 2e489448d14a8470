import type { CheckCurve, StudyMapChecks } from '../../../src-shared/model/study.ts';
import { seededRandom, shuffledIndices } from '../../../src-shared/numeric/random.ts';
import { spearman } from '../../../src-shared/numeric/statistics.ts';
import { tileWorth } from '../learn/ensemble.ts';
import type { BagPrediction } from '../learn/evaluate-head.ts';
import type { Pooling } from '../learn/head-spec.ts';

/** Shares of tiles at which the curves are read. */
const SHARES: readonly number[] = [0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9];
/** Slides that are looked at: more would not make the means any other. */
const MOST_SLIDES = 60;

/** Probabilities of a bag of which only some tiles are left, in the order they are named. */
export type SubsetReader = (kept: Iterable<number>) => readonly number[];

/**
 * What a head says of part of a bag, without asking it again: attention over a subset is the whole bag's attention
 * made to sum to 1, so its logits are the sum of the tiles' contributions over the sum of their attention, plus the
 * offset. For max pooling the largest score of each class. Exact but for rounding; nothing kept leaves the offset alone.
 */
export function subsetReader(pooling: Pooling, prediction: BagPrediction): SubsetReader {
  const { logits, attention, contributions } = prediction;
  const classes = logits.length;
  const offset = Array.from(logits, (logit, c) => {
    if (pooling === 'max') return 0;
    let sum = 0;
    for (let t = 0; t < attention.length; t++) sum += contributions[t * classes + c] ?? 0;
    return logit - sum;
  });
  return (kept) => {
    const sums = new Float64Array(classes).fill(pooling === 'max' ? Number.NEGATIVE_INFINITY : 0);
    let [weight, tiles] = [0, 0];
    for (const t of kept) {
      tiles++;
      weight += attention[t] ?? 0;
      for (let c = 0; c < classes; c++) {
        const value = contributions[t * classes + c] ?? 0;
        sums[c] = pooling === 'max' ? Math.max(sums[c] ?? 0, value) : (sums[c] ?? 0) + value;
      }
    }
    if (tiles === 0) return softmax(offset);
    if (pooling === 'max') return softmax(Array.from(sums));
    return softmax(Array.from(sums, (sum, c) => (offset[c] ?? 0) + (weight > 0 ? sum / weight : 0)));
  };
}

function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** Mean Spearman correlation over all pairs of heads; null with fewer than two, or where no pair has one. */
export function agreementOf(worth: readonly Float32Array[]): number | null {
  const values = worth.flatMap((a, i) => worth.slice(i + 1).map((b) => spearman(a, b)));
  return meanOf(values.filter((value) => !Number.isNaN(value)));
}

interface SlideCheck {
  readonly deletion: readonly number[];
  readonly insertion: readonly number[];
  readonly random: readonly number[];
  readonly seedAgreement: number | null;
  readonly shuffled: { readonly agreement: number; readonly deletion: readonly number[] } | null;
}

/** Gathers what is known against reading attention as a map, slide by slide, from predictions that are made anyway. */
export class MapCheckCollector {
  readonly #pooling: Pooling;
  readonly #seed: number;
  readonly #slides: SlideCheck[] = [];

  constructor(pooling: Pooling, seed: number) {
    this.#pooling = pooling;
    this.#seed = seed;
  }

  get isFull(): boolean {
    return this.#slides.length >= MOST_SLIDES;
  }

  /**
   * @param seeds predictions of a test slide by the heads of its fold.
   * @param shuffled that of a head trained on shuffled labels of the same fold.
   */
  add(seeds: readonly BagPrediction[], shuffled: BagPrediction | null): void {
    const [first] = seeds;
    if (first === undefined || this.isFull || first.attention.length < 2) return;
    const worth = seeds.map((prediction) => tileWorth(this.#pooling, prediction));
    const mean = first.attention.map((_, t) => worth.reduce((sum, values) => sum + (values[t] ?? 0), 0) / seeds.length);
    const ranked = Array.from(mean.keys()).sort((a, b) => (mean[b] ?? 0) - (mean[a] ?? 0));
    const order = Array.from(
      shuffledIndices(ranked.length, seededRandom(this.#seed + this.#slides.length)),
      (i) => ranked[i] ?? 0,
    );
    const other = shuffled === null ? null : tileWorth(this.#pooling, shuffled);
    const agreement = other === null ? Number.NaN : spearman(mean, other);
    this.#slides.push({
      deletion: this.#curve(seeds, ranked, 'deletion'),
      insertion: this.#curve(seeds, ranked, 'insertion'),
      random: this.#curve(seeds, order, 'deletion'),
      seedAgreement: agreementOf(worth),
      shuffled:
        other === null || Number.isNaN(agreement)
          ? null
          : {
              agreement,
              deletion: this.#curve(
                seeds,
                Array.from(other.keys()).sort((a, b) => (other[b] ?? 0) - (other[a] ?? 0)),
                'deletion',
              ),
            },
    });
  }

  /** Null where no slide could be looked at. */
  result(shuffledHeads: number, shuffledAuc: number | null): StudyMapChecks | null {
    const slides = this.#slides;
    if (slides.length === 0) return null;
    const withShuffled = slides.flatMap(({ shuffled }) => shuffled ?? []);
    const agreement = meanOf(withShuffled.map((slide) => slide.agreement));
    return {
      slides: slides.length,
      deletion: curveOf(slides.map((slide) => slide.deletion)),
      insertion: curveOf(slides.map((slide) => slide.insertion)),
      randomDeletion: curveOf(slides.map((slide) => slide.random)),
      seedAgreement: meanOf(slides.flatMap((slide) => slide.seedAgreement ?? [])),
      shuffled:
        agreement === null
          ? null
          : {
              ...{ heads: shuffledHeads, auc: shuffledAuc, agreement },
              deletion: curveOf(withShuffled.map((slide) => slide.deletion)),
            },
    };
  }

  /** Mean over the heads of the probability of the class they call on the whole bag, at each share. */
  #curve(seeds: readonly BagPrediction[], order: readonly number[], kind: 'deletion' | 'insertion'): number[] {
    const readers = seeds.map((prediction) => subsetReader(this.#pooling, prediction));
    const whole = meanRows(seeds.map(({ probabilities }) => [...probabilities]));
    const called = whole.indexOf(Math.max(...whole));
    return SHARES.map((share) => {
      const cut = Math.min(order.length - 1, Math.round(share * order.length));
      const kept = kind === 'deletion' ? order.slice(cut) : order.slice(0, Math.max(1, cut));
      return meanRows(readers.map((read) => read(kept)))[called] ?? 0;
    });
  }
}

function curveOf(rows: readonly (readonly number[])[]): CheckCurve {
  return { share: SHARES, probability: meanRows(rows) };
}

function meanRows(rows: readonly (readonly number[])[]): number[] {
  return Array.from(rows[0] ?? [], (_, c) => rows.reduce((sum, row) => sum + (row[c] ?? 0), 0) / rows.length);
}

function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
