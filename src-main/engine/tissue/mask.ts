import type { TissueParams } from '../../../src-shared/model/run.ts';

/** What a pixel of the mask shows. Only `tissue` counts as tissue; the rest says why not. */
export const TISSUE_CLASS = {
  background: 0,
  tissue: 1,
  pen: 2,
  border: 3,
  coverslip: 4,
  blurred: 5,
} as const;

export type TissueClass = (typeof TISSUE_CLASS)[keyof typeof TISSUE_CLASS];

/**
 * A tissue mask that covers the whole slide exactly: mask pixel (x, y) spans level-0 pixels
 * [x * downsampleX, (x + 1) * downsampleX) by [y * downsampleY, (y + 1) * downsampleY).
 */
export interface TissueMask {
  readonly widthPx: number;
  readonly heightPx: number;
  /** Level-0 pixels per mask pixel, float. */
  readonly downsampleX: number;
  readonly downsampleY: number;
  /** Micrometres per mask pixel in force; other than asked for where the slide or the memory limit demands it. */
  readonly maskMpp: number;
  /** Micrometres per level-0 pixel the mask was computed with. */
  readonly mppUm: number;
  readonly params: TissueParams;
  /** Saturation (0..1) above which a pixel is stained: Otsu's or the user's. */
  readonly saturationThreshold: number;
  /** Mean optical density above which a pixel is stained: Otsu's or the user's. */
  readonly opticalDensityThreshold: number;
  /** One TISSUE_CLASS a pixel, row-major. */
  readonly classes: Uint8Array;
}
