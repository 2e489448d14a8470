import type { SlideTrait, TypicalityDifference } from '../../../src-shared/model/typicality.ts';
import { DENSITY_AT, HUE_AT, MIXTURE_AT, SHARPNESS_AT } from '../tissue/slide-appearance.ts';

/** Optical density of haematoxylin and eosin in red, green and blue (Ruifrok and Johnston 2001), of unit length. */
const HAEMATOXYLIN = [0.651, 0.701, 0.29] as const;
const EOSIN = [0.07, 0.991, 0.11] as const;
/** What `measureColours` adds to densities before their logarithm. */
const COLOUR_FLOOR = 0.01;

/** One number for each trait that has a plain word, larger is more, from an appearance (see `measureAppearance`). */
const TRAITS: Readonly<Record<SlideTrait, (appearance: Float64Array) => number>> = {
  // Finest octave over the third: what defocus takes away first.
  sharpness: (of) => value(of, SHARPNESS_AT) + value(of, SHARPNESS_AT + 1),
  darkness: (of) => [0, 1, 2].reduce((sum, channel) => sum + value(of, DENSITY_AT + channel), 0),
  haematoxylin: (of) => amount(of, HAEMATOXYLIN, EOSIN),
  eosin: (of) => amount(of, EOSIN, HAEMATOXYLIN),
  // What absorbs more of red looks bluer, what absorbs more of blue yellower.
  'nuclear blue': (of) => value(of, HUE_AT + 2),
  'background blue': (of) => value(of, HUE_AT),
  yellow: (of) => value(of, HUE_AT + 1) + value(of, HUE_AT + 3),
};

const value = (appearance: Float64Array, at: number): number => appearance[at] ?? Number.NaN;

type Stain = readonly [number, number, number];

/** How much of a stain beside another there is in the tissue, by least squares from its mean densities. */
function amount(appearance: Float64Array, stain: Stain, other: Stain): number {
  const onto = (axis: Stain): number =>
    axis.reduce((sum, share, channel) => sum + share * (Math.exp(value(appearance, channel)) - COLOUR_FLOOR), 0);
  const both = stain.reduce((sum, share, channel) => sum + share * (other[channel] ?? 0), 0);
  return (onto(stain) - both * onto(other)) / (1 - both * both);
}

/** Standard deviations of the study's slides from which on a trait is worth a word. */
const LEAST_DEVIATIONS = 2;

/**
 * The traits in which a slide differs from those of a study, the one it differs in most first.
 * @param known what the study's slides look like; @returns none where appearances are of an older version or unknown.
 */
export function differencesFrom(known: readonly Float64Array[], appearance: Float64Array): TypicalityDifference[] {
  if ([appearance, ...known].some(({ length }) => length < MIXTURE_AT)) return [];
  const found = (Object.keys(TRAITS) as SlideTrait[]).flatMap((trait) => {
    const values = known.map(TRAITS[trait]).filter(Number.isFinite);
    const own = TRAITS[trait](appearance);
    const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
    const spread = Math.sqrt(values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / values.length);
    const deviations = (own - mean) / spread;
    if (!Number.isFinite(deviations) || Math.abs(deviations) < LEAST_DEVIATIONS) return [];
    const beyondAll = own > Math.max(...values) || own < Math.min(...values);
    return [{ trait, more: deviations > 0, deviations: Math.abs(deviations), beyondAll }];
  });
  return found.sort((a, b) => b.deviations - a.deviations);
}
