import type { InputSpec } from './backbone.ts';
import type { BackboneId, GridId, JobId, RunId, SlideId } from './ids.ts';
import type { MaskStroke } from './mask-edits.ts';
import type { NormalisationKey, StainNormalisation } from './stain.ts';

/** Parameters of the tissue mask; every number is visible to the user. */
export interface TissueParams {
  /** Resolution at which the mask is computed, micrometres per pixel. */
  readonly maskMpp: number;
  /** Saturation threshold in 0..1; null = Otsu's on this slide. */
  readonly saturationThreshold: number | null;
  /** Specks of tissue smaller than this are dropped, µm². */
  readonly minTissueUm2: number;
  /** Holes smaller than this are filled, µm². */
  readonly maxHoleUm2: number;
  /** Mean optical density above which a pixel is tissue too; null or absent = Otsu's on this slide. */
  readonly opticalDensityThreshold?: number | null;
  /** Pens to set apart; absent = all. Leave blue out where the stain itself is blue. */
  readonly penInks?: readonly PenInk[];
  /** Whether straight grey edges of the coverslip are set apart; absent = yes. */
  readonly findsCoverslip?: boolean;
  /**
   * Tissue less sharp than this is set apart as out of focus (0.5: clearly blurred). Null or absent =
   * not looked for, because it reads all tissue at 1 µm per pixel.
   */
  readonly minSharpness?: number | null;
  /** What the user painted over the computed mask, in order. */
  readonly strokes?: readonly MaskStroke[];
}

/** Inks of the pens with which slides are marked. */
export type PenInk = 'blue' | 'green' | 'black';
export const ALL_PEN_INKS: readonly PenInk[] = ['blue', 'green', 'black'];

export const DEFAULT_TISSUE: TissueParams = {
  maskMpp: 8,
  saturationThreshold: null,
  minTissueUm2: 20_000,
  maxHoleUm2: 20_000,
};

/** What a mask holds, for the preview. Areas in mm². */
export interface TissueSummary {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly maskMpp: number;
  /** The thresholds in force (Otsu's where the parameter was null). */
  readonly saturationThreshold: number;
  readonly opticalDensityThreshold?: number;
  readonly tissueMm2: number;
  readonly slideMm2: number;
  readonly penMm2: number;
  readonly borderMm2?: number;
  readonly coverslipMm2?: number;
  readonly blurredMm2?: number;
}

/** The tile grid in micrometres; level-0 origin of tile (c, r) = round(c x strideLevel0Px), float stride. */
export interface GridSpec {
  /** Target resolution, micrometres per pixel. */
  readonly mpp: number;
  readonly tileUm: number;
  readonly strideUm: number;
  /** A tile is kept when at least this fraction of it is tissue. */
  readonly minTissueFraction: number;
}

export const DEFAULT_GRID: GridSpec = { mpp: 0.5, tileUm: 112, strideUm: 112, minTissueFraction: 0.5 };

/** A grid laid on one slide. */
export interface TileGrid {
  readonly id: GridId;
  readonly slideId: SlideId;
  readonly spec: GridSpec;
  readonly tissue: TissueParams;
  readonly columns: number;
  readonly rows: number;
  /** Side of a tile in level-0 pixels (float). */
  readonly tileLevel0Px: number;
  /** Distance between tile origins in level-0 pixels (float). */
  readonly strideLevel0Px: number;
  readonly tileCount: number;
  /** Tiles that lie on the slide but hold too little tissue. */
  readonly droppedCount: number;
}

/** How features are stored: as the network gives them, or rounded to the nearest IEEE 754 binary16. */
export type Precision = 'float32' | 'float16';

/** Where an interrupted run went on with another device, processor or version of the runtime than before. */
export interface Continuation {
  readonly fromTile: number;
  readonly device: string;
  readonly deviceDetail: string;
  /** Version of onnxruntime. */
  readonly runtime: string;
}

/** What made a result: stored with it and printed in every report. */
export interface Provenance {
  readonly slideId: SlideId;
  readonly slideReader: string;
  readonly mppUm: number;
  /** `unknown`: features of another tool without a pixel size; lengths are then in level-0 pixels (`mppUm` 1). */
  readonly mppSource: 'file' | 'user' | 'unknown';
  readonly backboneId: BackboneId;
  readonly backboneName: string;
  readonly backboneOrigin: string;
  readonly cut: string;
  readonly featureDim: number;
  readonly gridId: GridId;
  readonly grid: GridSpec;
  readonly tissue: TissueParams;
  readonly normalisation: NormalisationKey;
  /** How pixels became the network's input; absent in runs of earlier versions. */
  readonly input?: InputSpec;
  readonly precision: Precision;
  readonly batchSize: number;
  readonly threads: number;
  readonly device: string;
  readonly deviceDetail: string;
  /** Why other devices were not used; absent in runs of earlier versions. */
  readonly deviceRefused?: readonly { readonly name: string; readonly reason: string }[];
  /** Changes of the device on the way, in order; absent = none. */
  readonly continuedOn?: readonly Continuation[];
  readonly seed: number;
  /** What the colours were fitted to; absent without stain normalisation. */
  readonly stain?: StainNormalisation;
  readonly versions: Readonly<Record<string, string>>;
}

export type RunState = 'running' | 'paused' | 'done' | 'failed' | 'cancelled';

export interface Run {
  readonly id: RunId;
  readonly slideId: SlideId;
  readonly backboneId: BackboneId;
  readonly backboneName: string;
  readonly cut: string;
  readonly state: RunState;
  readonly tileCount: number;
  readonly tilesDone: number;
  readonly createdAtMs: number;
  readonly finishedAtMs: number | null;
  /** Seconds of extraction, pauses left out. */
  readonly secondsSpent: number;
  readonly provenance: Provenance;
  readonly jobId: JobId | null;
}

export interface AnalysisRequest {
  readonly slideId: SlideId;
  readonly backboneId: BackboneId;
  /** Null = the backbone's default cut. */
  readonly cut: string | null;
  readonly grid: GridSpec;
  readonly tissue: TissueParams;
}
