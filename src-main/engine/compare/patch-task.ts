/** One image of a task, read and found sound. */
export interface PatchImage {
  readonly path: string;
  /** SHA-256 of the file: what its features are cached by. */
  readonly sha256: string;
  readonly label: string;
  /** Patient, slide or source image; the image itself where the task names none. */
  readonly group: string;
  /** Part of the split the task brings along; null where it brings none. */
  readonly part: 'train' | 'test' | null;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly bytes: number;
  /** Mean of red, green and blue, 0..255. */
  readonly meanRgb: readonly [number, number, number];
  /** 1..100, from the quantisation table of a JPEG file; 0 for other formats. */
  readonly jpegQuality: number;
}

/** A classification task on plain image files. */
export interface PatchTask {
  readonly name: string;
  /** In alphabetical order; of two classes the second is the positive one. */
  readonly classes: readonly string[];
  readonly images: readonly PatchImage[];
  /** False where every image is its own group: intervals are then optimistic. */
  readonly grouped: boolean;
  /** True where the task's own parts are used: one common held-out set. */
  readonly heldOut: boolean;
  /** Sentences on what was left out or looks wrong. */
  readonly notes: readonly string[];
}

/** A task that cannot be used, and why. */
export interface SkippedTask {
  readonly name: string;
  readonly reason: string;
}

/** A line of a task's table, or a file below a class folder, before anything is read. */
export interface PatchRow {
  readonly path: string;
  /** Empty where the table gives none. */
  readonly label: string;
  /** Empty where the table gives none. */
  readonly group: string;
  /** As the table has it: `train`, `val`, `test` or anything else. */
  readonly split: string;
}

export interface TaskOptions {
  /** Names of tasks whose groups are no patients: their images are treated as independent. */
  readonly ungrouped?: readonly string[];
  /** For tasks without groups: the first bracket of this expression, found in the file name, is the group. */
  readonly groupPattern?: RegExp | null;
  /** True: the tasks' own parts are not used, every task is cross-validated. */
  readonly crossValidate?: boolean;
}

/** Images (and groups) every class must have: one for each fold. */
export const MIN_IMAGES_PER_CLASS = 5;
/** Fewer groups in a class than this cannot be split twice, outside and inside the training part. */
export const MIN_GROUPS_PER_CLASS = 3;

/** At most four names, then how many more. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(', ');
  return names.length > 4 ? `${shown} and ${names.length - 4} more` : shown;
}
