/**
 * Quantile q in 0..1 of ascending values, interpolated linearly between neighbours (numpy's default).
 * NaN for no values.
 */
export function sortedQuantile(sorted: ArrayLike<number>, q: number): number {
  const n = sorted.length;
  if (n === 0) return Number.NaN;
  const position = Math.min(1, Math.max(0, q)) * (n - 1);
  const below = Math.floor(position);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[Math.min(n - 1, below + 1)] ?? Number.NaN;
  return low + (high - low) * (position - below);
}

/** Quantiles of values in any order; NaNs are left out. The input stays as it is. */
export function quantiles(values: ArrayLike<number>, qs: readonly number[]): readonly number[] {
  const sorted = Float64Array.from(values)
    .filter((v) => !Number.isNaN(v))
    .sort();
  return qs.map((q) => sortedQuantile(sorted, q));
}
