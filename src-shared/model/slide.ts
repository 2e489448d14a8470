import type { SlideId } from './ids.ts';

/** One stored level of a pyramid. Level 0 is the finest. */
export interface SlideLevel {
  readonly widthPx: number;
  readonly heightPx: number;
  /** Level-0 pixels per pixel of this level (float; width and height ratios averaged). */
  readonly downsample: number;
  readonly tileWidthPx: number;
  readonly tileHeightPx: number;
  readonly columns: number;
  readonly rows: number;
}

export interface AssociatedImage {
  /** `thumbnail`, `label`, `macro` or the vendor's own name. */
  readonly name: string;
  readonly widthPx: number;
  readonly heightPx: number;
}

/** Micrometres per pixel at level 0, and who says so. */
export interface PixelSize {
  readonly xUm: number;
  readonly yUm: number;
  readonly source: 'file' | 'user';
}

/** What a reader knows about a slide file: no path, no label text. */
export interface SlideInfo {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly levels: readonly SlideLevel[];
  readonly mpp: PixelSize | null;
  /** Nominal objective power, as the file says. */
  readonly objective: number | null;
  /** `aperio`, `generic-tiff`, `hyaline-synthetic`, … */
  readonly vendor: string;
  /** Which reader serves the file: `tiff`, `dicom`, `openslide`, … */
  readonly reader: string;
  /** Compression of the level-0 tiles: `jpeg`, `jpeg2000`, `lzw`, … */
  readonly compression: string;
  readonly associated: readonly AssociatedImage[];
  /** True where the file embeds an ICC profile. */
  readonly hasIccProfile: boolean;
  /** Sentences to show on opening. */
  readonly warnings: readonly string[];
}

/** A slide the store knows. */
export interface Slide {
  readonly id: SlideId;
  /** File name for display (may identify a patient: never in reports or logs unless the user asks). */
  readonly name: string;
  readonly sizeBytes: number;
  readonly info: SlideInfo;
  /** The pixel size in force: the user's where one was given, else the file's, else null. */
  readonly mpp: PixelSize | null;
  readonly openedAtMs: number;
  /** False when the file is not where it was last seen. */
  readonly available: boolean;
  readonly isDemo: boolean;
}
