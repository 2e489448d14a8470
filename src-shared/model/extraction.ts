import type { ErrorPayload } from '../errors.ts';
import type { BackboneId, JobId, SlideId } from './ids.ts';
import type { GridSpec, Precision, TissueParams } from './run.ts';
import type { StainFit } from './stain.ts';

/** One kind of features: a backbone at one cut. */
export interface ExtractionTarget {
  readonly backboneId: BackboneId;
  /** Null = the backbone's default cut. */
  readonly cut: string | null;
}

/** Features of many slides by many backbones: one pass over the tiles of each slide serves all targets. */
export interface ExtractionRequest {
  /** In the order in which they are to be done. */
  readonly slideIds: readonly SlideId[];
  readonly targets: readonly ExtractionTarget[];
  readonly grid: GridSpec;
  readonly tissue: TissueParams;
  readonly precision: Precision;
  /** The colours every slide is brought to, each from a fit of its own; null = colours as they are. */
  readonly stain: StainFit | null;
}

/** What one slide will cost. */
export interface SlideForecast {
  readonly slideId: SlideId;
  readonly tileCount: number;
  /** Tiles at least one target still lacks. */
  readonly tilesLeft: number;
  /** Bytes its missing features will take. */
  readonly bytes: number;
}

/** A slide that cannot be done, and why; the others go on. */
export interface RefusedSlide {
  readonly slideId: SlideId;
  readonly error: ErrorPayload;
}

export interface ExtractionForecast {
  readonly slides: readonly SlideForecast[];
  readonly refused: readonly RefusedSlide[];
  /** What the store will grow by. */
  readonly bytesNeeded: number;
  /** What the disk that holds the store has free for it. */
  readonly bytesFree: number;
}

/** A slide whose features are being made (a job), or were there already (null). */
export interface ExtractionJob {
  readonly slideId: SlideId;
  readonly jobId: JobId | null;
}

export interface StartedExtraction {
  readonly forecast: ExtractionForecast;
  readonly jobs: readonly ExtractionJob[];
}

/** What one backbone's results on one slide take in the store. */
export interface StoreUsage {
  readonly slideId: SlideId;
  readonly slideName: string;
  readonly backboneId: BackboneId;
  readonly backboneName: string;
  readonly runCount: number;
  readonly tileCount: number;
  readonly featureBytes: number;
  readonly mapBytes: number;
}
