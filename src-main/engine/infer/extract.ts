import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import { type LaidGrid, tileRef } from '../grid/laid-grid.ts';
import { createDecodePool, type DecodePool } from '../slide/decode-pool.ts';
import type { BatchRegion } from '../slide/region-batch.ts';
import { InferenceWorker } from './inference-worker.ts';
import type { ProviderName } from './protocol.ts';

/** Reads regions of one slide into shared memory; a decode pool is one. */
export type RegionDecoder = Pick<DecodePool, 'readRegions' | 'close'>;

export interface ExtractRequest {
  readonly slidePath: string;
  readonly laid: LaidGrid;
  /** Path of the backbone's ONNX file. */
  readonly modelPath: string;
  readonly card: BackboneCard;
  readonly cut: CutPoint;
  /** Threads of the inference session; 0 = all cores. */
  readonly threads: number;
  /** Tiles the network takes at once. */
  readonly batchSize: number;
  /** Where to begin: 0, or the first tile of the first chunk that is not stored yet. */
  readonly firstTile: number;
  /** Takes `tileCount` x featureDim features, chunk by chunk in order; the next chunk waits for it. */
  readonly onChunk: (firstTile: number, features: Float32Array, tileCount: number) => Promise<void>;
  readonly onProgress?: (tilesDone: number, tileCount: number) => void;
  readonly signal?: AbortSignal;
  readonly provider?: ProviderName;
  /** A running inference thread to use; else one is started and ended again. */
  readonly worker?: InferenceWorker;
  /** Threads that decode tiles; the default suits the number of cores. */
  readonly decodeWorkers?: number;
  readonly openDecoder?: (slidePath: string, workers: number) => RegionDecoder;
}

/** Batches in the pipeline at once: one being computed, one waiting, one being decoded. */
const SLOTS = 3;
const MIN_CHUNK_TILES = 64;

/** Tiles in a chunk: at least 64, whole batches, so that chunks and batches depend on the tile index alone. */
export function chunkTiles(batchSize: number): number {
  return Math.ceil(MIN_CHUNK_TILES / batchSize) * batchSize;
}

/**
 * Computes the features of a slide's tiles: decode threads fill shared buffers while the inference thread works, so
 * the device does not wait and memory stays flat whatever the slide's size. Which tiles share a batch depends on the
 * tile index alone: going on at a chunk's first tile gives bitwise the features of an uninterrupted run.
 *
 * @throws AppError Cancelled (chunks given out so far are whole), InvalidRequest, SlideDamaged, BackboneFailed,
 * DeviceFailed, and whatever `onChunk` throws. No thread is left behind.
 */
export async function extractFeatures(request: ExtractRequest): Promise<void> {
  const { batchSize, firstTile, laid } = request;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new AppError('InvalidRequest', 'The batch size must be 1 or more.');
  if (firstTile % chunkTiles(batchSize) !== 0) {
    throw new AppError('InvalidRequest', 'Extraction can only go on at the first tile of a chunk.');
  }
  throwIfCancelled(request.signal);
  if (firstTile >= laid.grid.tileCount) return;
  const openDecoder = request.openDecoder ?? openDefaultDecoder;
  const worker = request.worker ?? new InferenceWorker();
  try {
    const decoder = openDecoder(request.slidePath, request.decodeWorkers ?? defaultDecodeWorkers());
    try {
      await extractWith(request, worker, decoder);
    } finally {
      await decoder.close();
    }
  } finally {
    if (!request.worker) await worker.close();
  }
}

function openDefaultDecoder(slidePath: string, workers: number): RegionDecoder {
  return createDecodePool({ slidePath, workers });
}

/** Decoding a tile costs a few percent of computing its features: one thread keeps up with a CPU. */
function defaultDecodeWorkers(): number {
  return 1;
}

function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AppError('Cancelled', 'The analysis was cancelled.');
}

async function extractWith(request: ExtractRequest, worker: InferenceWorker, decoder: RegionDecoder): Promise<void> {
  const { card, cut } = request;
  const { session } = await worker.load({
    modelPath: request.modelPath,
    cuts: [cut],
    input: card.input,
    inputName: card.inputName,
    threads: request.threads,
    provider: request.provider ?? 'cpu',
  });
  try {
    await new Pipeline(request, worker, decoder, session).run();
  } finally {
    await worker.release(session);
  }
}

interface Slot {
  readonly pixels: SharedArrayBuffer;
  readonly features: SharedArrayBuffer;
  /** Settles when the slot's last batch is through. */
  idle: Promise<void>;
}

/** One extraction under way. */
class Pipeline {
  private readonly request: ExtractRequest;
  private readonly worker: InferenceWorker;
  private readonly decoder: RegionDecoder;
  private readonly session: number;
  private readonly chunk: Float32Array;
  private readonly chunkTiles: number;
  private delivered: Promise<void> = Promise.resolve();
  private failure: unknown = null;
  private tilesDone: number;

  constructor(request: ExtractRequest, worker: InferenceWorker, decoder: RegionDecoder, session: number) {
    this.request = request;
    this.worker = worker;
    this.decoder = decoder;
    this.session = session;
    this.chunkTiles = chunkTiles(request.batchSize);
    this.chunk = new Float32Array(this.chunkTiles * request.cut.featureDim);
    this.tilesDone = request.firstTile;
  }

  async run(): Promise<void> {
    const { batchSize, firstTile, laid, signal } = this.request;
    const slots = Array.from({ length: SLOTS }, () => this.makeSlot());
    let turn = 0;
    for (let first = firstTile; first < laid.grid.tileCount && !this.stopped(); first += batchSize) {
      const slot = slots[turn % SLOTS];
      turn += 1;
      if (!slot) break;
      await slot.idle;
      if (this.stopped()) break;
      slot.idle = this.process(slot, first, Math.min(batchSize, laid.grid.tileCount - first));
    }
    await Promise.all(slots.map((slot) => slot.idle));
    if (this.failure !== null) throw this.failure;
    if (this.tilesDone < laid.grid.tileCount) throwIfCancelled(signal);
  }

  private stopped(): boolean {
    return this.failure !== null || this.request.signal?.aborted === true;
  }

  private makeSlot(): Slot {
    const { batchSize, card, cut } = this.request;
    return {
      pixels: new SharedArrayBuffer(batchSize * card.input.widthPx * card.input.heightPx * 3),
      features: new SharedArrayBuffer(batchSize * cut.featureDim * Float32Array.BYTES_PER_ELEMENT),
      idle: Promise.resolve(),
    };
  }

  /** Decodes, computes and delivers one batch. Never rejects: the first failure is kept and stops the pipeline. */
  private async process(slot: Slot, first: number, count: number): Promise<void> {
    const before = this.delivered;
    const computed = this.compute(slot, first, count);
    this.delivered = before.then(async () => {
      const done = await computed;
      if (done && this.failure === null) await this.deliver(slot, first, count);
    });
    this.delivered = this.delivered.catch((error: unknown) => {
      this.failure ??= error;
    });
    await this.delivered;
  }

  /** False where the batch was given up because of a cancel or a failure elsewhere. */
  private async compute(slot: Slot, first: number, count: number): Promise<boolean> {
    const { widthPx, heightPx } = this.request.card.input;
    try {
      const regions = Array.from({ length: count }, (_, i) => this.region(first + i));
      await this.decoder.readRegions(
        { regions, outWidthPx: widthPx, outHeightPx: heightPx, output: slot.pixels, offset: 0 },
        this.request.signal,
      );
      if (this.stopped()) return false;
      await this.worker.run({
        session: this.session,
        pixels: slot.pixels,
        pixelOffset: 0,
        count,
        output: slot.features,
        outputOffset: 0,
      });
      return true;
    } catch (error) {
      this.failure ??= error;
      return false;
    }
  }

  private region(index: number): BatchRegion {
    const tile = tileRef(this.request.laid, index);
    return {
      x0Px: tile.x0Px,
      y0Px: tile.y0Px,
      widthLevel0Px: tile.sizeLevel0Px,
      heightLevel0Px: tile.sizeLevel0Px,
    };
  }

  private async deliver(slot: Slot, first: number, count: number): Promise<void> {
    const { cut, laid, onChunk, onProgress } = this.request;
    const { tileCount } = laid.grid;
    const chunkFirst = first - (first % this.chunkTiles);
    this.chunk.set(new Float32Array(slot.features, 0, count * cut.featureDim), (first - chunkFirst) * cut.featureDim);
    const chunkEnd = Math.min(chunkFirst + this.chunkTiles, tileCount);
    if (first + count === chunkEnd) {
      const tiles = chunkEnd - chunkFirst;
      await onChunk(chunkFirst, this.chunk.slice(0, tiles * cut.featureDim), tiles);
    }
    this.tilesDone = first + count;
    onProgress?.(this.tilesDone, tileCount);
  }
}
