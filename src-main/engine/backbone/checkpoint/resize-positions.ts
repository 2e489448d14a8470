/**
 * Resamples the position table of a vision transformer to another grid: class-token position kept, the square of patch
 * positions resized with the antialiased bicubic filter (a = -0.5), as timm's `resample_abs_pos_embed` and PyTorch's
 * `interpolate(mode='bicubic', antialias=True)` do.
 *
 * @param table 1 + fromSide² rows of `dim` values.
 * @returns 1 + toSide² rows.
 */
export function resizePositions(table: Float32Array, dim: number, fromSide: number, toSide: number): Float32Array {
  const taps = bicubicTaps(fromSide, toSide);
  const rows = new Float32Array(fromSide * toSide * dim);
  for (let y = 0; y < fromSide; y += 1) {
    taps.forEach(({ start, weights }, x) => {
      weights.forEach((weight, k) => {
        addScaled(rows, (y * toSide + x) * dim, table, (1 + y * fromSide + start + k) * dim, dim, weight);
      });
    });
  }
  const out = new Float32Array((1 + toSide * toSide) * dim);
  out.set(table.subarray(0, dim));
  taps.forEach(({ start, weights }, y) => {
    weights.forEach((weight, k) => {
      addScaled(out, (1 + y * toSide) * dim, rows, (start + k) * toSide * dim, toSide * dim, weight);
    });
  });
  return out;
}

function addScaled(
  to: Float32Array,
  at: number,
  from: Float32Array,
  start: number,
  count: number,
  weight: number,
): void {
  for (let i = 0; i < count; i += 1) to[at + i] = (to[at + i] ?? 0) + weight * (from[start + i] ?? 0);
}

interface Taps {
  readonly start: number;
  readonly weights: readonly number[];
}

/** Normalised weights of each output sample; the filter grows with the scale when shrinking. */
function bicubicTaps(from: number, to: number): Taps[] {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.floor(centre - 2 * stretch + 0.5));
    const end = Math.min(from, Math.floor(centre + 2 * stretch + 0.5));
    const raw = Array.from({ length: end - start }, (_, k) => bicubic((start + k - centre + 0.5) / stretch));
    const sum = raw.reduce((a, b) => a + b, 0);
    return { start, weights: raw.map((weight) => weight / sum) };
  });
}

/** Keys' cubic convolution kernel with a = -0.5. */
function bicubic(x: number): number {
  const t = Math.abs(x);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}
