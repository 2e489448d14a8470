import type { CardEdits } from '../../../src-shared/api/engine.ts';
import type { ErrorPayload } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint, InputSpec, KeyMatch } from '../../../src-shared/model/backbone.ts';

/** Tiles to measure statistics on: interleaved RGB at the card's input size, one after the other. */
export interface CalibrationTiles {
  readonly pixels: SharedArrayBuffer;
  readonly count: number;
}

/** What onnxruntime calls its execution providers; the order of preference lies in `device.ts`. */
export type ProviderName = 'cuda' | 'dml' | 'coreml' | 'webgpu' | 'cpu';

/** Asks for a session on one network, cut at one or more places that all come out of one pass. */
export interface LoadRequest {
  readonly modelPath: string;
  readonly cuts: readonly CutPoint[];
  readonly input: InputSpec;
  readonly inputName: string;
  /** Threads of one operator; 0 = as many as there are cores. */
  readonly threads: number;
  readonly provider: ProviderName;
  /** Folder of the optimised graphs that are kept; left out, nothing is read or kept. */
  readonly graphCache?: string;
}

export interface LoadReply {
  readonly session: number;
  /** Images the network takes at once, where its file fixes that; null = any number. */
  readonly fixedBatch: number | null;
  /** True where the graph had been optimised before. */
  readonly fromCache: boolean;
}

/**
 * Runs `count` tiles. Pixels are interleaved RGB in shared memory; features come back in shared memory as one block
 * per cut, each `count` x featureDim, in the order the cuts were given.
 */
export interface RunRequest {
  readonly session: number;
  readonly pixels: SharedArrayBuffer;
  readonly pixelOffset: number;
  readonly count: number;
  readonly output: SharedArrayBuffer;
  readonly outputOffset: number;
}

export interface InspectRequest {
  readonly modelPath: string;
  readonly edits: CardEdits;
  /** Where the network is written as one self-contained file; null = look only. */
  readonly copyTo: string | null;
}

/** Features of one batch of images at several layers, for CKA. */
export interface LayerProductsRequest {
  /** Each `count` x `dim` float32, row-major, of the same images. */
  readonly layers: readonly { readonly data: SharedArrayBuffer; readonly dim: number }[];
  readonly count: number;
  /** Bandwidth of the Gaussian kernel as part of the median distance. */
  readonly rbfThreshold: number;
  /** 0 = as many as there are cores. */
  readonly threads: number;
}

/** layers x layers, row-major: inner products of centred kernel matrices (see `CentredKernels`). */
export interface KernelProducts {
  readonly biased: readonly number[];
  readonly unbiased: readonly number[];
}

export interface LayerProducts {
  readonly linear: KernelProducts;
  readonly rbf: KernelProducts;
}

/** Every command of the inference worker with its argument and its reply. */
export interface InferCommands {
  load: { readonly request: LoadRequest; readonly reply: LoadReply };
  run: { readonly request: RunRequest; readonly reply: null };
  release: { readonly request: { readonly session: number }; readonly reply: null };
  inspect: { readonly request: InspectRequest; readonly reply: BackboneCard };
  /** How the keys of a checkpoint fit; null for an ONNX file. Large files are read here, never on the engine's thread. */
  match: { readonly request: { readonly path: string }; readonly reply: KeyMatch | null };
  makeBuiltIn: { readonly request: { readonly name: string; readonly path: string }; readonly reply: BackboneCard };
  /** A network with random weights: an architecture's, or the twin of a stored backbone; written to `path`. */
  makeRandom: {
    readonly request: {
      readonly of: string | { readonly modelPath: string; readonly card: BackboneCard };
      readonly seed: number;
      readonly path: string;
    };
    readonly reply: BackboneCard;
  };
  /** Measures the BatchNorm statistics of a backbone on tiles and writes the network with them to `path`. */
  calibrate: {
    readonly request: {
      readonly modelPath: string;
      readonly card: BackboneCard;
      readonly tiles: CalibrationTiles;
      readonly path: string;
    };
    readonly reply: BackboneCard;
  };
  /** Writes one cut of a backbone as a network of its own; the reply is its size in bytes. */
  exportCut: {
    readonly request: {
      readonly modelPath: string;
      readonly card: BackboneCard;
      readonly cut: CutPoint;
      readonly path: string;
    };
    readonly reply: number;
  };
  /** Centred kernels of all layers of one batch, multiplied with one another. */
  layerProducts: { readonly request: LayerProductsRequest; readonly reply: LayerProducts };
  close: { readonly request: null; readonly reply: null };
}

export type InferCommand = keyof InferCommands;

export type InferCall = {
  readonly [K in InferCommand]: {
    readonly id: number;
    readonly command: K;
    readonly request: InferCommands[K]['request'];
  };
}[InferCommand];

export type InferAnswer =
  | { readonly id: number; readonly ok: true; readonly reply: unknown }
  | { readonly id: number; readonly ok: false; readonly error: ErrorPayload };
