import type { SlideTrait, TypicalityDifference } from '../../../src-shared/model/study.ts';
import { SHARPNESS_DIM } from '../tissue/field-sharpness.ts';
import { APPEARANCE_DIM, COLOUR_DIM } from '../tissue/slide-appearance.ts';

const SHARPNESS = COLOUR_DIM;
const STAIN = COLOUR_DIM + SHARPNESS_DIM;

/** One number for each trait that has a plain word, larger is more, from an appearance (see `measureAppearance`). */
const TRAITS: Readonly<Record<SlideTrait, (appearance: Float64Array) => number>> = {
  // Finest octave over the third: what defocus takes away first.
  sharpness: (of) => (of[SHARPNESS] ?? Number.NaN) + (of[SHARPNESS + 1] ?? Number.NaN),
  density: (of) => of[STAIN + 10] ?? Number.NaN,
  haematoxylin: (of) => of[STAIN + 4] ?? Number.NaN,
  eosin: (of) => of[STAIN + 5] ?? Number.NaN,
  // What absorbs more of red looks bluer, what absorbs more of blue yellower.
  'nuclear blue': (of) => of[STAIN + 8] ?? Number.NaN,
  'background blue': (of) => of[STAIN + 6] ?? Number.NaN,
  yellow: (of) => (of[STAIN + 7] ?? Number.NaN) + (of[STAIN + 9] ?? Number.NaN),
};

/** Standard deviations of the study's slides from which on a trait is worth a word. */
const LEAST_DEVIATIONS = 2;

/**
 * The traits in which a slide differs from those of a study, the one it differs in most first.
 * @param known what the study's slides look like; @returns none where appearances are of an older version or unknown.
 */
export function differencesFrom(known: readonly Float64Array[], appearance: Float64Array): TypicalityDifference[] {
  if (appearance.length !== APPEARANCE_DIM || known.some(({ length }) => length !== APPEARANCE_DIM)) return [];
  const found = (Object.keys(TRAITS) as SlideTrait[]).flatMap((trait) => {
    const values = known.map(TRAITS[trait]);
    const value = TRAITS[trait](appearance);
    const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
    const spread = Math.sqrt(values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / values.length);
    const deviations = (value - mean) / spread;
    if (!Number.isFinite(deviations) || Math.abs(deviations) < LEAST_DEVIATIONS) return [];
    const beyondAll = value > Math.max(...values) || value < Math.min(...values);
    return [{ trait, more: deviations > 0, deviations: Math.abs(deviations), beyondAll }];
  });
  return found.sort((a, b) => b.deviations - a.deviations);
}
