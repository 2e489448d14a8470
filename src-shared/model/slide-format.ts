/** Who reads a format. */
export type FormatReader = 'hyaline' | 'sharp' | 'openslide';

/** A kind of slide file. */
export interface SlideFormat {
  readonly name: string;
  /** Endings of its file names, with the dot, lower case. */
  readonly extensions: readonly string[];
  readonly reader: FormatReader;
  /** Which of it has been tested on files that tests wrote only, for want of a real one; empty = real files. */
  readonly syntheticOnly: string;
  /** What else to know, a few words; mostly empty. */
  readonly note: string;
  /** Whether this installation can read it now. */
  readonly available: boolean;
}

/** The formats of this installation. */
export interface FormatList {
  readonly formats: readonly SlideFormat[];
  /** OpenSlide as it was found; null where it was not. */
  readonly openSlide: { readonly version: string; readonly file: string } | null;
  /** How to get OpenSlide on this system, a sentence; empty where it is there. */
  readonly advice: string;
}
