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
    sure && a.origin !== b.origin && !sameArchitecture(a, b)
      ? ` They differ in what they were trained on (${a.origin}, ${b.origin}) and in architecture (${a.architecture}, ` +
        `${b.architecture}): the difference cannot be put down to either.`
      : '';
  const optimistic = rowsAsGroups ? ' The interval is optimistic: images are treated as independent.' : '';
  return verdict + corrected + confounded + optimistic;
}

/** What a card says that only holds a graph: two of them may be anything. */
const UNSTATED_ARCHITECTURES: ReadonlySet<string> = new Set(['', 'unknown', 'ONNX graph']);

function sameArchitecture(a: Contender, b: Contender): boolean {
  return a.architecture === b.architecture && !UNSTATED_ARCHITECTURES.has(a.architecture);
}

/**
 * What a comparison of these backbones can say of training, whatever its figures: a sentence for every two of the same
 * architecture that were trained on different things, and one that says so where there are none. Random weights of the
 * same architecture are named apart: they tell what training is worth, not on what.
 */
export function whatMayBeClaimed(contenders: readonly Contender[]): readonly string[] {
  const pairs = contenders.flatMap((a, i) => contenders.slice(i + 1).map((b) => [a, b] as const));
  const matched = pairs.filter(([a, b]) => sameArchitecture(a, b) && a.origin !== b.origin);
  const isTrained = ({ origin }: Contender): boolean => origin === 'imagenet' || origin === 'histology';
  const sentences = matched.map(([a, b]) => {
    const both = `${a.name} and ${b.name} have the same architecture (${a.architecture})`;
    return isTrained(a) && isTrained(b)
      ? `${both}: a difference between them is one of training (${a.origin}, ${b.origin}).`
      : `${both}: a difference between them tells what training is worth, not which training is better.`;
  });
  const fair = matched.some(([a, b]) => isTrained(a) && isTrained(b));
  const origins = new Set(contenders.filter(isTrained).map(({ origin }) => origin));
  if (fair || origins.size < 2) return sentences;
  const none =
    'No two backbones here have the same architecture and different training: from this comparison it cannot be said ' +
    'that histology beats ImageNet or the reverse, as every such pair differs in both.';
  return [...sentences, none];
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
