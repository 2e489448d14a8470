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
  if (rows === 0) throw new AppError('InvalidRequest', 'There is nothing to compute an interval from.');
  const members = rowsByGroup(rows, groups);
  const random = seededRandom(seed);
  const figures: number[] = [];
  for (let b = 0; b < resamples; b++) {
    const drawn = Array.from({ length: members.length }, () => members[Math.floor(random() * members.length)] ?? []);
    const value = figure(Uint32Array.from(drawn.flat()));
    if (!Number.isNaN(value)) figures.push(value);
  }
  const sorted = Float64Array.from(figures).sort();
  const average = sorted.reduce((sum, x) => sum + x, 0) / sorted.length;
  const spread = sorted.reduce((sum, x) => sum + (x - average) ** 2, 0) / (sorted.length - 1);
  return {
    estimate: figure(Uint32Array.from({ length: rows }, (_, i) => i)),
    low: sortedQuantile(sorted, (1 - level) / 2),
    high: sortedQuantile(sorted, (1 + level) / 2),
    standardError: Math.sqrt(spread),
    undefinedResamples: resamples - figures.length,
    groups: members.length,
    rowsAsGroups: members.length === rows,
  };
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
