import type { BackboneOrigin } from '../../../src-shared/model/backbone.ts';
import { type BootstrapInterval, type BootstrapOptions, bootstrapInterval } from './bootstrap.ts';

/** A backbone as a claim names it. */
export interface Contender {
  readonly name: string;
  readonly architecture: string;
  readonly origin: BackboneOrigin;
}

/**
 * Interval of figure(B) - figure(A) on the same rows, by resampling whole groups: each resample is used for both, so
 * that what makes a patient hard for both cancels. Throws as `bootstrapInterval`.
 */
export function pairedDifference(
  rows: number,
  groups: readonly string[] | null,
  figureA: (rows: Uint32Array) => number,
  figureB: (rows: Uint32Array) => number,
  options: BootstrapOptions,
): BootstrapInterval {
  return bootstrapInterval(rows, groups, (drawn) => figureB(drawn) - figureA(drawn), options);
}

export interface Claim {
  readonly a: Contender;
  readonly b: Contender;
  /** `AUC`, `accuracy`: a figure in 0..1. */
  readonly figure: string;
  /** Of B - A. */
  readonly difference: BootstrapInterval;
  /** After correction for all comparisons made (Holm); null where only this one was made. */
  readonly correctedP: number | null;
}

/**
 * What may be said of two backbones, in plain words: better or worse only where the interval excludes zero and the
 * corrected p value, where there is one, is below 5 %. Where they differ in architecture as well as in training, the
 * sentence says that the difference cannot be put down to either.
 */
export function claimSentence({ a, b, figure, difference, correctedP }: Claim): string {
  const { estimate, low, high, rowsAsGroups } = difference;
  const sure = (low > 0 || high < 0) && (correctedP === null || correctedP < 0.05);
  const interval = `95 % interval ${points(low)} to ${points(high)}`;
  const verdict = sure
    ? `${b.name} is ${estimate > 0 ? 'better' : 'worse'} than ${a.name}: ${signed(estimate)} ${figure} points, ${interval}.`
    : `No difference between ${a.name} and ${b.name} can be claimed: ${signed(estimate)} ${figure} points, ${interval}.`;
  const corrected = correctedP === null ? '' : ` After correction for all comparisons p ${pText(correctedP)}.`;
  const confounded =
    sure && a.origin !== b.origin && a.architecture !== b.architecture
      ? ` They differ in what they were trained on (${a.origin}, ${b.origin}) and in architecture (${a.architecture}, ` +
        `${b.architecture}): the difference cannot be put down to either.`
      : '';
  const optimistic = rowsAsGroups ? ' The interval is optimistic: images are treated as independent.' : '';
  return verdict + corrected + confounded + optimistic;
}

function points(value: number): string {
  return (100 * value).toFixed(1).replace('-', '\u2212');
}

function signed(value: number): string {
  return value > 0 ? `+${points(value)}` : points(value);
}

function pText(p: number): string {
  return p < 0.001 ? '< 0.001' : `= ${p.toFixed(3)}`;
}
