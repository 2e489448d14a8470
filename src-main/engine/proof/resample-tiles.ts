import { sortedQuantile } from '../../../src-shared/numeric/quantile.ts';
import { RandomStream } from '../backbone/random-stream.ts';
import type { TilePart } from './make-bags.ts';

/** A value with its 95 % interval; null where none can be given. */
export interface Figure {
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
}

/**
 * Draws the distinct tiles of a part with replacement, each kind for itself, so that every figure of a run is computed on the
 * same draws and differences are paired. Draw 0 is the part as it is.
 */
export function tileDraws(part: TilePart, resamples: number, seed: number): readonly TilePart[] {
  const stream = new RandomStream(seed, 'tiles drawn again');
  const draw = (tiles: readonly number[]): number[] =>
    tiles.map(() => tiles[Math.floor(stream.nextUniform() * tiles.length)] ?? 0);
  const again = Array.from({ length: resamples }, () => ({
    positive: draw(part.positive),
    negative: draw(part.negative),
  }));
  return [part, ...again];
}

/** The value at draw 0 with the percentile interval over the others (Efron and Tibshirani 1993, chapter 13). */
export function figureOf(values: readonly number[]): Figure {
  const [value = Number.NaN, ...others] = values;
  const sorted = Float64Array.from(others.filter((v) => !Number.isNaN(v))).sort();
  if (sorted.length < 20) return { value, low: null, high: null };
  return { value, low: sortedQuantile(sorted, 0.025), high: sortedQuantile(sorted, 0.975) };
}
