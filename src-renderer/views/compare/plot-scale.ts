/** A tick of an axis: where it stands in the drawing, and what is written at it. */
export interface Tick {
  readonly at: number;
  readonly text: string;
}

/** Maps low..high onto from..to, evenly or by logarithm; what is outside stays outside. */
export function scaleOf(low: number, high: number, from: number, to: number, log = false): (value: number) => number {
  const of = (value: number): number => (log ? Math.log10(value) : value);
  const span = of(high) - of(low);
  return (value) => from + (to - from) * (span === 0 ? 0.5 : (of(value) - of(low)) / span);
}

/** Round numbers (1, 2 or 5 times a power of ten) from within low..high, about `count` of them. */
export function roundTicks(low: number, high: number, count: number): readonly number[] {
  const raw = (high - low) / Math.max(1, count);
  if (!(raw > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

/** Powers of ten from within low..high; with 2 and 5 between where these are fewer than three. */
export function logTicks(low: number, high: number): readonly number[] {
  const powers: number[] = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++) powers.push(10 ** p);
  const within = (value: number): boolean => value >= low * 0.999 && value <= high * 1.001;
  const whole = powers.filter(within);
  return whole.length >= 3 ? whole : powers.flatMap((power) => [power, 2 * power, 5 * power]).filter(within);
}

/** The range of what is drawn, widened by a twentieth on both sides, within 0..1. */
export function scoreRange(values: readonly number[]): readonly [number, number] {
  const known = values.filter((value) => Number.isFinite(value));
  if (known.length === 0) return [0, 1];
  const low = Math.min(...known);
  const high = Math.max(...known);
  const margin = Math.max(0.02, (high - low) / 20);
  return [Math.max(0, low - margin), Math.min(1, high + margin)];
}

/** Points of a polyline; those without a number are left out. */
export function polyline(points: readonly (readonly [number, number])[]): string {
  return points
    .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))
    .map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`)
    .join(' ');
}

/** Moves labels apart that would overlap: the same order, at least `gap` between two, as near as that allows. */
export function spreadLabels(at: readonly number[], gap: number): readonly number[] {
  const order = at.map((_, i) => i).sort((a, b) => (at[a] ?? 0) - (at[b] ?? 0));
  const out = [...at];
  order.forEach((index, i) => {
    const before = order[i - 1];
    if (before !== undefined) out[index] = Math.max(out[index] ?? 0, (out[before] ?? 0) + gap);
  });
  return out;
}
