/** Branded identifiers: strings that cannot be mixed up. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** Content fingerprint of a slide (64 hex digits): survives renaming and moving. */
export type SlideId = Brand<string, 'SlideId'>;
/** SHA-256 of the ONNX file of a backbone (64 hex digits). */
export type BackboneId = Brand<string, 'BackboneId'>;
/** Content hash of a tile grid on one slide (64 hex digits). */
export type GridId = Brand<string, 'GridId'>;
/** One extraction: slide x grid x backbone x cut x normalisation x precision. */
export type RunId = Brand<string, 'RunId'>;
/** A study: slides, slide-level labels and heads trained on them. */
export type StudyId = Brand<string, 'StudyId'>;
/** A comparison of backbones on patch tasks. */
export type ComparisonId = Brand<string, 'ComparisonId'>;
export type JobId = Brand<string, 'JobId'>;
/** An opaque right to read one file or folder, given out by the host; the renderer never sends raw paths. */
export type FileGrant = Brand<string, 'FileGrant'>;
/** A folder of slides that was opened to look through; lives as long as the engine. */
export type FolderId = Brand<string, 'FolderId'>;
/** A file the engine wrote and the user may download. */
export type ExportId = Brand<string, 'ExportId'>;

/** Marks a string that has been checked elsewhere as an id. Use at parsing boundaries only. */
export function asId<T extends Brand<string, string>>(value: string): T {
  return value as T;
}
