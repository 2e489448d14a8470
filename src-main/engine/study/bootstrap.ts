import { setImmediate } from 'node:timers/promises';
import { AppError } from '../../../src-shared/errors.ts';
import { sortedQuantile } from '../../../src-shared/numeric/quantile.ts';
import { seededRandom } from '../../../src-shared/numeric/random.ts';

export interface BootstrapOptions {
  readonly seed: number;
  readonly resamples?: number;
  /** 0.95 = a 95 % interval. */
  readonly level?: number;
}

export interface BootstrapInterval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly standardError: number;
  /** Mean over the resamples: what it lies off the estimate is the bootstrap's measure of the figure's bias. */
  readonly resampleMean: number;
  /** Resamples the figure did not exist in (one class only, …): they are left out of the interval. */
  readonly undefinedResamples: number;
  readonly groups: number;
  /** True where every row is its own group: the interval is optimistic if rows of one patient are alike. */
  readonly rowsAsGroups: boolean;
}

/**
 * A percentile interval by resampling whole groups (patients) with replacement, so that rows of one patient stay
 * together. Source: Efron and Tibshirani 1993, chapters 13 and 8.3.
 * @param groups of each row; null = every row is its own group.
 * @param figure computed from row numbers, repeats included; NaN where it does not exist.
 * @throws AppError InvalidRequest without rows.
 */
export function bootstrapInterval(
  rows: number,
  groups: readonly string[] | null,
  figure: (rows: Uint32Array) => number,
  { seed, resamples = 2000, level = 0.95 }: BootstrapOptions,
): BootstrapInterval {
  if (rows === 0) throw nothingThere();
  const members = rowsByGroup(rows, groups);
  const random = seededRandom(seed);
  const values = Float64Array.from({ length: resamples }, () => figure(draw(members, random)));
  return intervalOf(values, figure(everyRow(rows)), members.length, rows, level);
}

/** Resamples between two pauses. */
const RESAMPLES_AT_ONCE = 100;

/**
 * `bootstrapInterval` for several figures over the same resamples, in one pass; others may work in between.
 * @param figures all of them computed from row numbers, in a fixed order.
 */
export async function bootstrapIntervals(
  rows: number,
  groups: readonly string[] | null,
  figures: (rows: Uint32Array) => readonly number[],
  { seed, resamples = 2000, level = 0.95 }: BootstrapOptions,
): Promise<readonly BootstrapInterval[]> {
  if (rows === 0) throw nothingThere();
  const members = rowsByGroup(rows, groups);
  const random = seededRandom(seed);
  const estimates = figures(everyRow(rows));
  const values = estimates.map(() => new Float64Array(resamples));
  for (let b = 0; b < resamples; b++) {
    if (b % RESAMPLES_AT_ONCE === 0) await setImmediate();
    figures(draw(members, random)).forEach((value, f) => {
      const column = values[f];
      if (column !== undefined) column[b] = value;
    });
  }
  return values.map((column, f) => intervalOf(column, estimates[f] ?? Number.NaN, members.length, rows, level));
}

const nothingThere = (): AppError => new AppError('InvalidRequest', 'There is nothing to compute an interval from.');

const everyRow = (rows: number): Uint32Array => Uint32Array.from({ length: rows }, (_, i) => i);

/** Rows of as many groups as there are, drawn with replacement. */
function draw(members: readonly (readonly number[])[], random: () => number): Uint32Array {
  const drawn = Array.from({ length: members.length }, () => members[Math.floor(random() * members.length)] ?? []);
  return Uint32Array.from(drawn.flat());
}

function intervalOf(
  values: Float64Array,
  estimate: number,
  groups: number,
  rows: number,
  level: number,
): BootstrapInterval {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const average = sorted.reduce((sum, x) => sum + x, 0) / sorted.length;
  const spread = sorted.reduce((sum, x) => sum + (x - average) ** 2, 0) / (sorted.length - 1);
  return {
    estimate,
    low: sortedQuantile(sorted, (1 - level) / 2),
    high: sortedQuantile(sorted, (1 + level) / 2),
    standardError: Math.sqrt(spread),
    resampleMean: average,
    undefinedResamples: values.length - sorted.length,
    groups,
    rowsAsGroups: groups === rows,
  };
}

/**
 * The same interval with the bootstrap's bias taken off: estimate 2t - mean(t*), limits 2t - upper and 2t - lower, cut
 * at `bounds`. For figures that noise can only raise, as the calibration error: there the percentile interval lies
 * beside the estimate. The estimate lies within the limits whenever the mean of the resamples lies within their
 * percentiles. Source: Efron and Tibshirani 1993, sections 10.3 (bias) and 13.4 (the interval turned round).
 */
export function biasCorrected(interval: BootstrapInterval, bounds: readonly [number, number]): BootstrapInterval {
  const { estimate, resampleMean, low, high } = interval;
  const turned = (value: number): number => Math.min(bounds[1], Math.max(bounds[0], 2 * estimate - value));
  return { ...interval, estimate: turned(resampleMean), low: turned(high), high: turned(low) };
}

function rowsByGroup(rows: number, groups: readonly string[] | null): readonly (readonly number[])[] {
  if (groups === null) return Array.from({ length: rows }, (_, i) => [i]);
  const byName = new Map<string, number[]>();
  for (let i = 0; i < rows; i++) {
    const name = groups[i] ?? '';
    const known = byName.get(name);
    if (known === undefined) byName.set(name, [i]);
    else known.push(i);
  }
  return [...byName.values()];
}

/** Values of the given rows: for figures that take arrays. */
export function taken(values: ArrayLike<number>, rows: Uint32Array): Float64Array {
  return Float64Array.from(rows, (row) => values[row] ?? Number.NaN);
}
