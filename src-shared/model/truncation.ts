import type { BackboneOrigin } from './backbone.ts';
import type { StudyId } from './ids.ts';

/** A figure with its 95 % interval, both in 0..1; null where it does not exist. */
export interface TruncationScore {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** One cut of one backbone: what it costs and what it reaches. */
export interface TruncationRow {
  readonly backbone: string;
  readonly architecture: string;
  readonly origin: BackboneOrigin;
  readonly cut: string;
  readonly featureDim: number;
  readonly parameters: number;
  /** FLOPs of one tile. */
  readonly flops: number;
  /** Of the network alone, on this machine. */
  readonly msPerTile: number;
  readonly secondsPerSlide: number;
  /** Of attention pooling on the slides: AUC, or balanced accuracy for more than two classes. */
  readonly slides: TruncationScore;
  /** The study that this figure comes from; null where it was not trained. */
  readonly studyId: StudyId | null;
  /** Of the probe, in the order of `tasks`. */
  readonly patches: readonly TruncationScore[];
}

/** Every cut of some backbones, through attention pooling on slides and through probes on patches. */
export interface TruncationStudy {
  readonly slideFigure: string;
  readonly slideCount: number;
  readonly patientCount: number;
  /** Mean over the slides. */
  readonly tilesPerSlide: number;
  readonly tasks: readonly { readonly task: string; readonly metric: 'AUC' | 'accuracy'; readonly chance: number }[];
  readonly rows: readonly TruncationRow[];
  /** How it was made, and what may not be concluded from it. */
  readonly notes: readonly string[];
}
