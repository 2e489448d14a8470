import type { Comparison } from './comparison.ts';
import type { BackboneId, ComparisonId, FileGrant, JobId, SlideId, StudyId } from './ids.ts';

/** A backbone of a comparison and the cuts it is judged at; no cuts = up to four spread over its depth. */
export interface ComparedChoice {
  readonly backboneId: BackboneId;
  readonly cuts: readonly string[];
}

/** How a comparison judges, apart from what it judges. */
export interface ComparisonSettings {
  readonly probe: Comparison['probe'];
  /** Zero mean and unit variance learnt on each training part; false = features as the papers take them. */
  readonly standardise: boolean;
  /** Of the folds. */
  readonly seeds: readonly number[];
  /** Random twins of each trained backbone. */
  readonly twins: number;
  /** Of the bootstrap. */
  readonly resamples: number;
  /** How much worse than the best the sweet spot may be, 0..1. */
  readonly tolerance: number;
  /** Images CKA is computed on, at most; 0 = no CKA. */
  readonly ckaImages: number;
  /** Test images of each task that are shifted in stain, focus, JPEG quality, angle and scale; 0 = none. */
  readonly robustnessImages: number;
  /** True: parts that tasks bring along are not used. */
  readonly crossValidate: boolean;
  /** Names of tasks whose groups are no patients. */
  readonly ungrouped: readonly string[];
  /**
   * Where a task names no groups: a regular expression whose first bracket, found in a file name, is the group. Absent =
   * none.
   */
  readonly groupPattern?: string;
}

export const DEFAULT_COMPARISON: ComparisonSettings = {
  probe: 'svm',
  standardise: true,
  seeds: [1],
  twins: 3,
  resamples: 1000,
  tolerance: 0.01,
  ckaImages: 256,
  robustnessImages: 0,
  crossValidate: false,
  ungrouped: [],
};

/** Folders (or tables) of patch tasks, opened through the host, and how to read them. */
export interface TaskSelection {
  readonly grants: readonly FileGrant[];
  readonly crossValidate: boolean;
  readonly ungrouped: readonly string[];
  /** See `ComparisonSettings`. */
  readonly groupPattern?: string;
}

/** What was found at a place where tasks were looked for. */
export interface TaskCheck {
  readonly name: string;
  /** Why it cannot be used, a sentence; null where it can. */
  readonly reason: string | null;
  /** Of what can be used; empty where nothing can. */
  readonly classes: readonly { readonly label: string; readonly images: number; readonly groups: number }[];
  readonly images: number;
  /** False where every image counts as independent. */
  readonly grouped: boolean;
  /** True where the task's own held-out part is used. */
  readonly heldOut: boolean;
  /** Sentences on what was left out or looks wrong. */
  readonly notes: readonly string[];
}

export interface ComparisonRequest {
  readonly name: string;
  readonly tasks: readonly FileGrant[];
  readonly backbones: readonly ComparedChoice[];
  /** Slides of the library whose maps are put under the same shifts, where robustness is asked for. */
  readonly slides: readonly SlideId[];
  /**
   * A truncation study: slides, labels, tiles, splits and training of this study, which every cut of every backbone goes
   * through besides the patches; null or absent = patches alone.
   */
  readonly slideStudyId?: StudyId | null;
  readonly settings: ComparisonSettings;
}

/** The study that one cut of a backbone was trained as. */
export interface CutStudy {
  readonly backboneId: BackboneId;
  readonly cut: string;
  readonly studyId: StudyId;
}

/** A task as it was when it was compared. */
export interface TaskFingerprint {
  readonly name: string;
  readonly images: number;
  /** SHA-256 over every image's SHA-256, label, group and part, in order of the image's. */
  readonly sha256: string;
}

/** A comparison as lists show it, with everything that made it. */
export interface ComparisonEntry {
  readonly id: ComparisonId;
  readonly name: string;
  readonly createdAtMs: number;
  readonly jobId: JobId | null;
  /** File or folder names of what was chosen. */
  readonly taskSources: readonly string[];
  /** With their names at the time. */
  readonly backbones: readonly (ComparedChoice & { readonly name: string })[];
  /** In the order of their numbers in the result, which does not name their files. */
  readonly slides: readonly SlideId[];
  /** Of a truncation study: what it was planned as, with its name at the time, and what it has become so far. */
  readonly truncation?: {
    readonly slideStudyId: StudyId;
    readonly name: string;
    readonly studies: readonly CutStudy[];
  };
  readonly settings: ComparisonSettings;
  /** Null until it has been computed. */
  readonly made: {
    readonly finishedAtMs: number;
    readonly device: string;
    readonly threads: number;
    readonly versions: Readonly<Record<string, string>>;
    readonly tasks: readonly TaskFingerprint[];
  } | null;
}

export interface ComparisonRecord extends ComparisonEntry {
  readonly result: Comparison | null;
}

/** One image that a probe judged wrongly under at least one seed. */
export interface MisjudgedPatch {
  /** Names the picture: `routes.patch`. */
  readonly sha256: string;
  readonly fileName: string;
  readonly label: string;
  readonly group: string;
  /** Under the first seed that was wrong. */
  readonly predicted: string;
  /** Seeds under which it was wrong. */
  readonly wrongSeeds: number;
  /** By how much the wrong class led, in the probe's own units (not comparable between probes). */
  readonly margin: number;
}

/** What stands behind one score: a backbone at a cut (or at the cut chosen in training) on a task. */
export interface ComparisonCell {
  readonly task: string;
  readonly backbone: string;
  /** `chosen`, or a cut's name. */
  readonly cut: string;
  readonly seeds: number;
  readonly perClass: readonly {
    readonly label: string;
    readonly images: number;
    /** Share of its images that are found; null where none was tested. Mean over seeds. */
    readonly recall: number | null;
    /** Share of the images called so that are so; null where none was called so. Mean over seeds. */
    readonly precision: number | null;
  }[];
  /** confusion[true][called]: images, mean over seeds, in the order of `perClass`. */
  readonly confusion: readonly (readonly number[])[];
  /** Those that misled the probe most first. */
  readonly misjudged: readonly MisjudgedPatch[];
}

/** Which file of a comparison to write: all of them in one archive, or one by its name. */
export interface ComparisonFile {
  readonly name: string;
  readonly kind: 'table' | 'figure' | 'document';
}
