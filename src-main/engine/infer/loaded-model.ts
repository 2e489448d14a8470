import { AppError } from '../../../src-shared/errors.ts';
import type { CutPoint } from '../../../src-shared/model/backbone.ts';
import { allFinite } from '../graph/model.ts';
import { type OpenedGraph, openGraph, outputName } from './open-graph.ts';
import { Preprocessor } from './preprocess.ts';
import type { LoadRequest, ProviderName, RunRequest } from './protocol.ts';
import { isOutOfMemory, loadRuntime, type Runtime, runFailure, type Session } from './runtime.ts';

/** Electron's allocator ends the process near 2 GiB. */
const MAX_INPUT_BYTES = 2 ** 29;

/** Pixels a CPU computes at once: what the layers of four usual tiles hold stays in its caches, that of 16 does not. */
const CPU_PIXELS_AT_ONCE = 4 * 224 * 224;

/**
 * Tiles one run of the network takes, where its file does not fix that: on the CPU a few, on any other device all. It
 * is a function of the input's size alone, and so which tiles share a run follows from the tile index.
 */
export function tilesAtOnce(provider: ProviderName, { widthPx, heightPx }: InputSize): number {
  if (provider !== 'cpu') return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor(CPU_PIXELS_AT_ONCE / (widthPx * heightPx)));
}

type InputSize = Pick<LoadRequest['input'], 'widthPx' | 'heightPx'>;

/** One network, cut and loaded on a device. Lives on the inference thread. */
export class LoadedModel {
  readonly fixedBatch: number | null;
  readonly fromCache: boolean;
  private readonly runtime: Runtime;
  private readonly session: Session;
  /** Held for the session, which reads from it. */
  readonly weights: Uint8Array | null;
  private readonly request: LoadRequest;
  private readonly preprocessor: Preprocessor;
  private input = new Float32Array(0);
  /** Tiles that go through at once: what suits the device, less where it has no room for them. */
  private largestBatch: number;

  private constructor(runtime: Runtime, opened: OpenedGraph, request: LoadRequest) {
    this.runtime = runtime;
    this.session = opened.session;
    this.weights = opened.weights;
    this.request = request;
    this.fixedBatch = opened.fixedBatch;
    this.fromCache = opened.fromCache;
    this.largestBatch = tilesAtOnce(request.provider, request.input);
    this.preprocessor = new Preprocessor(request.input);
  }

  /** @throws AppError BackboneUnreadable, BackboneFailed, DeviceFailed. */
  static async open(request: LoadRequest, open = openGraph): Promise<LoadedModel> {
    return new LoadedModel(await loadRuntime(), await open(request), request);
  }

  /**
   * Computes `request.count` tiles; see RunRequest for the layout of both buffers. Where the device runs out of memory,
   * the tiles go through in halves from then on.
   */
  async run(request: RunRequest): Promise<void> {
    const { valuesPerTile } = this.preprocessor;
    let first = 0;
    while (first < request.count) {
      const count = Math.min(this.fixedBatch ?? this.largestBatch, this.tilesThatFit(), request.count - first);
      const pixels = new Uint8Array(request.pixels, request.pixelOffset + first * valuesPerTile, count * valuesPerTile);
      try {
        await this.runBatch(pixels, count, this.fixedBatch ?? count, request, first);
        first += count;
      } catch (error) {
        if (!isOutOfMemory(error) || count === 1 || this.fixedBatch !== null) throw error;
        this.largestBatch = Math.ceil(count / 2);
      }
    }
  }

  /** Tiles whose input stays well below the size at which Electron refuses an allocation; at least one. */
  private tilesThatFit(): number {
    const bytesPerTile = this.preprocessor.valuesPerTile * Float32Array.BYTES_PER_ELEMENT;
    return Math.max(1, Math.floor(MAX_INPUT_BYTES / bytesPerTile));
  }

  async release(): Promise<void> {
    await this.session.release();
  }

  private async runBatch(
    pixels: Uint8Array,
    count: number,
    batch: number,
    request: RunRequest,
    first: number,
  ): Promise<void> {
    const values = batch * this.preprocessor.valuesPerTile;
    if (this.input.length < values) this.input = new Float32Array(values);
    // A network with a fixed batch gets zeros where the last tiles do not fill it.
    this.input.fill(0, count * this.preprocessor.valuesPerTile, values);
    this.preprocessor.fill(pixels, count, this.input);
    const { widthPx, heightPx, layout } = this.request.input;
    const dims = layout === 'NCHW' ? [batch, 3, heightPx, widthPx] : [batch, heightPx, widthPx, 3];
    const tensor = new this.runtime.Tensor('float32', this.input.subarray(0, values), dims);
    const results = await this.session.run({ [this.request.inputName]: tensor }).catch((cause: unknown) => {
      throw runFailure(cause);
    });
    let offset = request.outputOffset;
    this.request.cuts.forEach((cut, index) => {
      const data = results[outputName(index)]?.data;
      this.store(data, cut, count, new Float32Array(request.output, offset, request.count * cut.featureDim), first);
      offset += request.count * cut.featureDim * Float32Array.BYTES_PER_ELEMENT;
    });
  }

  private store(data: unknown, cut: CutPoint, count: number, out: Float32Array, first: number): void {
    const wanted = count * cut.featureDim;
    if (!(data instanceof Float32Array) || data.length < wanted || data.length % cut.featureDim !== 0) {
      throw new AppError('BackboneFailed', `The cut "${cut.name}" does not give ${cut.featureDim} features a tile.`, {
        advice: 'Import the backbone again, so that its card is made anew.',
      });
    }
    const features = data.subarray(0, wanted);
    if (!allFinite(features)) {
      throw new AppError('BackboneFailed', 'The backbone gives values that are not numbers.', {
        advice: 'Check its normalisation and its weights.',
      });
    }
    out.set(features, first * cut.featureDim);
  }
}
