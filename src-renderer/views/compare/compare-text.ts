import type { ScoredInterval } from '../../../src-shared/model/comparison.ts';

const DASH = '–';

/** A score in 0..1 as points of a hundred: `84.3`; a dash where there is none (null after storage, or not a number). */
export function points(score: number | null | undefined): string {
  return typeof score === 'number' && Number.isFinite(score) ? (100 * score).toFixed(1).replace('-', '\u2212') : DASH;
}

/** A difference of scores with its sign: `+4.1`, `−0.8`, `0.0`. */
export function signedPoints(difference: number | null | undefined): string {
  if (typeof difference !== 'number' || !Number.isFinite(difference)) return DASH;
  const text = (100 * difference).toFixed(1).replace('-', '\u2212');
  return Number(text.replace('\u2212', '-')) > 0 ? `+${text}` : text.replace(/^\u2212(0\.0)$/, '$1');
}

/** `57.3 to 78.7`; empty where there is no interval. */
export function intervalText({ low, high }: Pick<ScoredInterval, 'low' | 'high'>): string {
  return low === null || high === null ? '' : `${points(low)} to ${points(high)}`;
}

/** `< 0.001`, `0.034`. */
export function pText(p: number): string {
  if (!Number.isFinite(p)) return DASH;
  return p < 0.001 ? '< 0.001' : p.toFixed(3);
}

/** `1 task`, `3 tasks`. */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Colour of the n-th backbone, the same in every plot; a CSS value. */
export function seriesColour(index: number): string {
  return `var(--series-${(index % 7) + 1})`;
}
