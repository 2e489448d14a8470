import type { FineTuningRecord } from './fine-tune.ts';
import type { BackboneId, JobId } from './ids.ts';

export type BackboneOrigin = 'imagenet' | 'histology' | 'random' | 'unknown';

/** Filters of Pillow's `Image.resize`, all antialiased but `nearest`. */
export const INTERPOLATIONS = ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] as const;
export type Interpolation = (typeof INTERPOLATIONS)[number];

/** What stands between the two linear layers of a transformer's blocks. Weights do not tell which it was. */
export const ACTIVATIONS = ['gelu', 'quick-gelu'] as const;
export type Activation = (typeof ACTIVATIONS)[number];

/** How an image or a tile is brought to the input size. */
export interface ResizeSpec {
  readonly interpolation: Interpolation;
  /**
   * Null: the whole of it is stretched to the input size. Else its shorter side is brought to this many pixels and the
   * middle `widthPx` x `heightPx` is taken, as torchvision's Resize and CenterCrop do.
   */
  readonly cropFromPx: number | null;
}

/** How 8-bit RGB becomes the network's input: value = (pixel * scale - mean) / std, per channel in the stated order. */
export interface InputSpec {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly layout: 'NCHW' | 'NHWC';
  readonly channelOrder: 'RGB' | 'BGR';
  /** Multiplies the 0..255 pixel before mean and std: 1/255 for torchvision nets, 1 for nets that take 0..255. */
  readonly scale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /** Absent in cards of earlier versions: stretched, bilinear. */
  readonly resize?: ResizeSpec;
}

/** One place where a backbone can be cut: a named output of its graph, pooled to a vector. */
export interface CutPoint {
  readonly name: string;
  /** Tensor in the graph. */
  readonly tensor: string;
  readonly pooling: 'none' | 'global-average' | 'cls' | 'mean-tokens';
  readonly featureDim: number;
  readonly cumulativeParameters: number;
  readonly cumulativeFlops: number;
}

/** What is known of a backbone; travels with every result made by it. */
export interface BackboneCard {
  readonly id: BackboneId;
  readonly name: string;
  readonly architecture: string;
  readonly origin: BackboneOrigin;
  /** How the weights were made: `supervised`, `simclr`, `he-normal, seed 1`, … */
  readonly method: string;
  readonly licence: string;
  readonly source: string;
  readonly input: InputSpec;
  /** Name of the graph input. */
  readonly inputName: string;
  readonly parameters: number;
  readonly sizeBytes: number;
  /** Micrometres per pixel the weights were trained at; null where unknown. */
  readonly trainedMpp: number | null;
  readonly cuts: readonly CutPoint[];
  /** The cut used when none is named: the last feature layer. */
  readonly defaultCut: string;
  readonly builtIn: boolean;
  /** Fields the user has to confirm because the file does not say: shown as such. */
  readonly assumed: readonly string[];
  /** Set where the user has changed how pixels become the input: keeps its results apart from those made before. */
  readonly inputEdit?: InputEdit;
  /** Set where it was fine-tuned here: from what, and on which slides, so that it is never judged on those. */
  readonly tuned?: FineTuningRecord;
  /**
   * What its weights began as, where they were fine-tuned elsewhere: name or SHA-256 of that backbone, or the beginning of
   * the latter (12 digits). Of those fine-tuned here `tuned` says it.
   */
  readonly fineTunedFrom?: string;
  /** The file the weights came in, where it is not the stored one itself. Absent in cards of earlier versions. */
  readonly file?: OriginalFile;
}

/** A change of a card's input. */
export interface InputEdit {
  /** First 16 hex digits of the SHA-256 of the input in force. */
  readonly key: string;
  /** The input the backbone was registered with; results made by it carry no key. */
  readonly original: InputSpec;
}

/** The file a backbone was made from. */
export interface OriginalFile {
  readonly name: string;
  readonly sha256: string;
  /** Of a file that was fetched: whether its source states a digest it was checked against. Absent for a user's file. */
  readonly digestChecked?: boolean;
}

/** How the keys of a checkpoint fit the network it was read as. */
export interface KeyMatch {
  readonly architecture: string;
  /** Whose naming the keys follow. */
  readonly layout: string;
  /** What every key of the network begins with in this checkpoint. */
  readonly prefix: string;
  readonly matched: number;
  readonly expected: number;
  /** Weights of the network the checkpoint does not hold. */
  readonly missing: readonly string[];
  /** Keys under the prefix the network has no use for (heads, projections, counters). */
  readonly unexpected: readonly string[];
  readonly shapeMismatches: readonly { readonly name: string; readonly expected: string; readonly found: string }[];
}

/** A public checkpoint that can be fetched by its name. */
export interface CatalogueItem {
  readonly name: string;
  readonly architecture: string;
  readonly origin: BackboneOrigin;
  readonly method: string;
  /** What its publisher states; the terms themselves are on the page. */
  readonly licence: string;
  /** Page that tells about it. */
  readonly page: string;
  /** The server its file comes from. */
  readonly server: string;
  /** What its file is called there, and in a mirror. */
  readonly fileName: string;
  /** True where access is given on request only: download says where to ask. */
  readonly gated: boolean;
  /** What of address, file name and licence was not confirmed from public text when the entry was written; empty = all was. */
  readonly unchecked: string;
  /** Whether the mirror, where it is a folder, holds the file; null where the mirror is none. */
  readonly inMirror: boolean | null;
  /** The job that fetches it now, or that could go on; null = none. */
  readonly jobId: JobId | null;
}

/** The public checkpoints that can be fetched, and from where. */
export interface Catalogue {
  /** Stands in for every server: a folder or an http(s) address; empty = the servers themselves. */
  readonly mirror: string;
  readonly items: readonly CatalogueItem[];
}

/** The setting under which the user names a mirror of the catalogue. */
export const MIRROR_SETTING = 'catalogue.mirror';
