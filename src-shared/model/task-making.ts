import type { FileGrant } from './ids.ts';

/**
 * How annotations become classes; lengths in pixels of the images. Sources: the conversions of Mormont et al. 2021.
 * - `dense`: points everywhere; overlapping patches with a point in them, or without.
 * - `rare`: few points; shifted patches about each, and patches that hold none.
 * - `mask`: positive where the annotated part of a patch reaches the threshold.
 * - `central`: the class of the pixel in the middle; values of the mask without a name are taken as they are.
 */
export type TaskConversion = { readonly sizePx: number; readonly stridePx: number } & (
  | { readonly kind: 'dense' }
  | { readonly kind: 'rare'; readonly shifts: number }
  | { readonly kind: 'mask'; readonly threshold: number }
  | { readonly kind: 'central'; readonly names: readonly { readonly value: number; readonly name: string }[] }
);

/** Annotated images to cut into a patch task. */
export interface TaskMakingRequest {
  /** The folder of the task is called so. */
  readonly name: string;
  /** A folder of images, or a table that names them. */
  readonly images: FileGrant;
  /** The folder of masks or points; null where a table names them. */
  readonly annotations: FileGrant | null;
  readonly conversion: TaskConversion;
  /** A patch with a larger part of glass is left out, 0..1. */
  readonly mostBackground: number;
  /** Patches of a class from one image, at most. */
  readonly mostPerClass: number;
  /** Of shifts and draws. */
  readonly seed: number;
}

/** A task that was made, ready to be compared. */
export interface MadePatchTask {
  readonly grant: FileGrant;
  readonly name: string;
  readonly patches: number;
  readonly classes: Readonly<Record<string, number>>;
  readonly groups: number;
  /** Patches left out as background. */
  readonly background: number;
  /** Images that gave nothing, and why. */
  readonly leftOut: readonly { readonly image: string; readonly reason: string }[];
}
