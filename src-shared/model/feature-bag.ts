import type { BackboneId, FileGrant, RunId, SlideId } from './ids.ts';

/** The features of one slide as a file of another tool. */
export interface FeatureFile {
  /** Name of the slide: the file's name without its ending. */
  readonly name: string;
  readonly tiles: number;
  readonly dim: number;
}

/**
 * What feature files say of themselves that no study can be made of, a sentence each: no tiles, another length than most.
 * @param files of the slides that are to be in it.
 */
export function unfitFeatures(files: readonly FeatureFile[]): readonly string[] {
  const empty = files.filter(({ tiles }) => tiles === 0).map(({ name }) => name);
  const lengths = new Map<number, string[]>();
  for (const { name, dim } of files) lengths.set(dim, [...(lengths.get(dim) ?? []), name]);
  const [usual, ...others] = [...lengths].sort((a, b) => b[1].length - a[1].length);
  return [
    ...(empty.length === 0
      ? []
      : [`No tiles in the file of ${some(empty)}: leave ${empty.length === 1 ? 'that slide' : 'those slides'} out.`]),
    ...others.map(
      ([dim, names]) => `Most slides have ${usual?.[0]} features, ${some(names)} ${dim}. One study takes one length.`,
    ),
  ];
}

const some = (names: readonly string[]): string =>
  names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');

/** Features of many slides by one encoder. */
export interface FeatureSet {
  /** Its folder below the chosen one, with forward slashes; `.` = the chosen one. */
  readonly place: string;
  /** As the files name it, else the name of its folder. */
  readonly encoder: string;
  /** True where the files themselves say what made them. */
  readonly named: boolean;
  readonly files: readonly FeatureFile[];
}

/** What a folder of feature files holds, or a single one. */
export interface FeatureFolder {
  readonly name: string;
  /** Largest first; never empty. */
  readonly sets: readonly FeatureSet[];
  /** Files that look like features and cannot be read, with the reason. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}

/** One file of a set, to be put into the store. */
export interface FeatureImport {
  /** The folder, or the file itself. */
  readonly folder: FileGrant;
  readonly place: string;
  readonly name: string;
  /** The slide it was made of; null = the one of the library that is called so, else none: no map is drawn then. */
  readonly slideId: SlideId | null;
  /** What made them: features count as made alike where it is the same. */
  readonly encoder: string;
}

export interface ImportedFeatures {
  readonly slideId: SlideId;
  readonly slideName: string;
  readonly runId: RunId;
  readonly backboneId: BackboneId;
  readonly cut: string;
  readonly tiles: number;
  readonly dim: number;
  /** False where the slide itself is not known: there is nothing to draw a map on. */
  readonly hasSlide: boolean;
}

const IMPORTED = ' (imported)';

/** What a run of imported features says it was made by. */
export const importedName = (encoder: string): string => encoder + IMPORTED;

/** The encoder of imported features by that name; null where they were not imported. */
export const encoderOf = (backboneName: string): string | null =>
  backboneName.endsWith(IMPORTED) ? backboneName.slice(0, -IMPORTED.length) : null;

/** `SlideInfo.reader` of slides that are known by their features alone. */
export const FEATURES_ONLY = 'features';
