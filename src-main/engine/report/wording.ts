import type { BackboneOrigin } from '../../../src-shared/model/backbone.ts';

/** Numbers and dates as every report, table and legend prints them: English, SI units, no locale of the machine. */

const THIN_SPACE = '\u202f';

/** `12 345`: thousands set apart by a thin space. */
export function grouped(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, THIN_SPACE);
}

/** At most `digits` significant digits, no trailing zeros, never an exponent for everyday sizes. */
export function rounded(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return '–';
  const text = String(Number(value.toPrecision(digits)));
  return text.replace('-', '\u2212');
}

/**
 * Scores of a row of tiles with the same number of decimals: three, or as many as it takes to tell the first from the
 * last (at most six).
 */
export function scoreTexts(scores: readonly number[]): readonly string[] {
  const range = Math.max(...scores) - Math.min(...scores);
  const decimals = range > 0 ? Math.min(6, Math.max(3, Math.ceil(-Math.log10(range)) + 1)) : 3;
  return scores.map((score) => score.toFixed(decimals).replace('-', '\u2212'));
}

/** `42.0 %` of a share in 0..1. */
export function percentText(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A length: µm below 1 mm, mm above. */
export function lengthText(um: number): string {
  return um < 1000 ? `${rounded(um)} µm` : `${rounded(um / 1000)} mm`;
}

/** An area: µm² below 0.1 mm², mm² above. */
export function areaText(um2: number): string {
  return um2 < 100_000 ? `${grouped(um2)} µm²` : `${rounded(um2 / 1e6)} mm²`;
}

export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${rounded(bytes / 1000 ** power)} ${units[power]}`;
}

export function durationText(seconds: number): string {
  if (seconds < 60) return `${rounded(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.round(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** `21 November 2026, 22:10 UTC`. */
export function dateText(ms: number): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
  return `${day}, ${two(date.getUTCHours())}:${two(date.getUTCMinutes())} UTC`;
}

export function plural(n: number, noun: string): string {
  return `${grouped(n)} ${noun}${n === 1 ? '' : 's'}`;
}

/** What the weights of a backbone were trained on, in words. */
export function originText(origin: string): string {
  const words: Readonly<Record<BackboneOrigin, string>> = {
    imagenet: 'trained on ImageNet (natural images)',
    histology: 'trained on histology',
    random: 'random weights, not trained',
    unknown: 'not known what it was trained on',
  };
  return Object.hasOwn(words, origin) ? words[origin as BackboneOrigin] : origin;
}
