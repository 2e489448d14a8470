/** How an unseen slide compares with the training slides. */
export interface SlideTypicality {
  /** The largest of its Mahalanobis distances, each in units of what few held-out slides exceed. */
  readonly distance: number;
  /** 95th percentile of slides held out from the training data. */
  readonly threshold: number;
  readonly unlike: boolean;
  /** Its distance in each part that was compared, largest first. */
  readonly parts: readonly { readonly part: TypicalityPart; readonly distance: number }[];
  /** Not compared: pixels of this slide or of training slides were not at hand, or the study is of an older version. */
  readonly notCompared: readonly TypicalityPart[];
  /** What is seen of its pixels in which it differs from the study's slides, most first. */
  readonly differences: readonly TypicalityDifference[];
}

/**
 * What slides are compared in: means of features, how much those vary from tile to tile; at the slide's own pixels
 * sharpness, the hues of the stains, and how dense they are and mix.
 */
export type TypicalityPart = 'features' | 'spreads' | 'sharpness' | 'colours' | 'density';

/** What differs, for a sentence. */
export const TYPICALITY_PARTS: Readonly<Record<TypicalityPart, string>> = {
  features: 'its features',
  spreads: 'how its features vary from tile to tile',
  sharpness: 'its sharpness',
  colours: 'its colours',
  density: 'the strength and mixture of its stains',
};

export type SlideTrait =
  | 'sharpness'
  | 'darkness'
  | 'haematoxylin'
  | 'eosin'
  | 'nuclear blue'
  | 'background blue'
  | 'yellow';

export interface TypicalityDifference {
  readonly trait: SlideTrait;
  /** True for more of it than the study's slides have, false for less. */
  readonly more: boolean;
  /** Standard deviations of the study's slides it lies from their mean. */
  readonly deviations: number;
  /** Beyond every slide of the study. */
  readonly beyondAll: boolean;
}

/** Less and more of a trait in plain words. */
const TRAIT_WORDS: Readonly<Record<SlideTrait, readonly [less: string, more: string]>> = {
  sharpness: ['blurrier', 'sharper or noisier'],
  darkness: ['paler', 'darker'],
  haematoxylin: ['less haematoxylin', 'more haematoxylin'],
  eosin: ['less eosin', 'more eosin'],
  'nuclear blue': ['nuclei less blue', 'nuclei bluer'],
  'background blue': ['stroma and cytoplasm pinker', 'stroma and cytoplasm bluer'],
  yellow: ['less yellow', 'more yellow'],
};

const TRAIT_PARTS: Readonly<Record<SlideTrait, TypicalityPart>> = {
  sharpness: 'sharpness',
  darkness: 'density',
  haematoxylin: 'density',
  eosin: 'density',
  'nuclear blue': 'colours',
  'background blue': 'colours',
  yellow: 'colours',
};

/** Words for the traits a slide differs in most, of each part that lies outside. */
const TOLD_DIFFERENCES = 3;

/** In what a slide differs and in which direction, for a sentence: "its sharpness (blurrier than every slide of the study)". */
export function describeDifferences({ parts, threshold, differences }: SlideTypicality): string {
  const beyond = parts.filter(({ distance }) => distance > threshold);
  return listOf(
    (beyond.length > 0 ? beyond : parts.slice(0, 1)).map(({ part, distance }) => {
      // Blur pales nuclei a little, too: of what follows from the rest no details are given.
      if (2 * distance < (parts[0]?.distance ?? 0)) return TYPICALITY_PARTS[part];
      const told = differences.filter(({ trait }) => TRAIT_PARTS[trait] === part).slice(0, TOLD_DIFFERENCES);
      if (told.length === 0) return TYPICALITY_PARTS[part];
      const words = told.map(({ trait, more }) => TRAIT_WORDS[trait][more ? 1 : 0]);
      const than = told.every(({ beyondAll }) => beyondAll) ? 'any slide' : 'most slides';
      return `${TYPICALITY_PARTS[part]} (${words.join(', ')} than ${than} of the study)`;
    }),
  );
}

const listOf = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
