import type { ErrorPayload } from '../errors.ts';
import type { FileGrant, FolderId } from './ids.ts';
import type { Slide } from './slide.ts';

/** A folder that is being looked through. Nothing of its slides is stored before one is opened. */
export interface OpenedFolder {
  readonly id: FolderId;
  readonly name: string;
}

/** A slide found in a folder (the files of one DICOM series count once), or a file that does not open. */
export interface FoundSlide {
  /** Opens it. */
  readonly grant: FileGrant;
  readonly name: string;
  /** Folder below the opened one in which it lies, parts joined by `/`; empty for the opened one itself. */
  readonly subfolder: string;
  /** Files that make it up. */
  readonly files: number;
  readonly sizeBytes: number;
  /** What its header says; null where it does not open, then `error` says why. */
  readonly facts: FoundSlideFacts | null;
  readonly error: ErrorPayload | null;
}

export interface FoundSlideFacts {
  readonly widthPx: number;
  readonly heightPx: number;
  /** µm per level-0 pixel; null where the file does not say. */
  readonly mppUm: number | null;
  readonly objective: number | null;
  readonly vendor: string;
}

/** What has been found since a place in the list. */
export interface FolderPart {
  readonly slides: readonly FoundSlide[];
  /** Where the next part begins. */
  readonly next: number;
  /** True when the whole folder has been looked through. */
  readonly complete: boolean;
  /** Why the search ended early; null where it did not. */
  readonly error: ErrorPayload | null;
}

/** A slide file to be put into the library. */
export interface SlideFile {
  readonly grant: FileGrant;
  /** µm per level-0 pixel that a list gives; it then takes the place of the file's. */
  readonly mppUm: number | null;
}

/** A file that could not be put into the library; the others were. */
export interface RefusedFile {
  readonly grant: FileGrant;
  readonly name: string;
  readonly error: ErrorPayload;
}

export interface AddedSlides {
  readonly slides: readonly (Slide & { readonly grant: FileGrant })[];
  readonly refused: readonly RefusedFile[];
}

/** A row of a list of slides (CSV), with the file it names. */
export interface ListedSlideFile extends SlideFile {
  readonly name: string;
  /** Patient or case; null where the list names none. */
  readonly caseId: string | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** A list of slides as a table names them. */
export interface SlideList {
  readonly name: string;
  readonly slides: readonly ListedSlideFile[];
  readonly labelColumns: readonly string[];
  /** Sentences on what was left out or looks wrong. */
  readonly warnings: readonly string[];
}

export interface FolderEntry {
  readonly name: string;
  readonly kind: 'folder' | 'slide' | 'model' | 'table' | 'other';
  readonly sizeBytes: number;
  readonly grant: FileGrant;
}

export interface FolderListing {
  readonly path: string;
  readonly parent: string | null;
  /** The right to look through this folder as a whole. */
  readonly grant: FileGrant;
  readonly entries: readonly FolderEntry[];
}
