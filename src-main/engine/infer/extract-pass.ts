import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import type { StainNormalisation } from '../../../src-shared/model/stain.ts';
import { type LaidGrid, tileRef } from '../grid/laid-grid.ts';
import { createDecodePool, type DecodePool } from '../slide/decode-pool.ts';
import { seenRegion, WHOLE_IMAGE } from './fit-input.ts';
import { InferenceWorker } from './inference-worker.ts';
import type { ProviderName } from './protocol.ts';

/** Reads regions of one slide into shared memory; a decode pool is one. */
export type RegionDecoder = Pick<DecodePool, 'readRegions' | 'close'>;

/** Takes `tileCount` x featureDim features, chunk by chunk in order; the next chunk waits for it. */
export type ChunkSink = (firstTile: number, features: Float32Array, tileCount: number) => Promise<void>;

/** One cut of a backbone whose features are wanted. */
export interface CutTarget {
  readonly cut: CutPoint;
  /** Where to begin: 0, the first tile of the first chunk that is not stored yet, or the number of tiles (all done). */
  readonly firstTile: number;
  readonly onChunk: ChunkSink;
}

/** A backbone and its cuts, all of which come out of one run of the network. */
export interface BackboneTarget {
  /** Path of the backbone's ONNX file. */
  readonly modelPath: string;
  readonly card: BackboneCard;
  readonly cuts: readonly CutTarget[];
}

export interface PassRequest {
  readonly slidePath: string;
  readonly laid: LaidGrid;
  readonly backbones: readonly BackboneTarget[];
  /** Threads of the inference sessions; 0 = all cores. */
  readonly threads: number;
  /** Tiles a network takes at once; the same for all, because it decides which tiles share a batch. */
  readonly batchSize: number;
  /** Tiles that are through for every backbone. */
  readonly onProgress?: (tilesDone: number, tileCount: number) => void;
  readonly signal?: AbortSignal;
  readonly provider?: ProviderName;
  /** A running inference thread to use; else one is started and ended again. */
  readonly worker?: InferenceWorker;
  /** Threads that decode tiles; the default suits the number of cores. */
  readonly decodeWorkers?: number;
  readonly openDecoder?: (slidePath: string, workers: number) => RegionDecoder;
  /** Where given, every tile is repainted so before any network sees it. */
  readonly stain?: StainNormalisation;
}

/** Batches in the pipeline at once: one being computed, one waiting, one being decoded. */
const SLOTS = 3;
const MIN_CHUNK_TILES = 64;

/** Tiles in a chunk: at least 64, whole batches, so that chunks and batches depend on the tile index alone. */
export function chunkTiles(batchSize: number): number {
  return Math.ceil(MIN_CHUNK_TILES / batchSize) * batchSize;
}

/**
 * Computes the features of a slide's tiles for several backbones and cuts in one pass: each stored tile of the slide is
 * decoded once, resampled once for every input size, and a network runs once for all its cuts. Decode threads fill
 * shared buffers while the inference thread works, so the device does not wait and memory stays flat whatever the
 * slide's size. Which tiles share a batch depends on the tile index alone: going on at a chunk's first tile gives the
 * features of an uninterrupted run, whatever else is in the pass.
 *
 * @throws AppError Cancelled (chunks given out so far are whole), InvalidRequest, SlideDamaged, BackboneFailed,
 * DeviceFailed, and whatever `onChunk` throws. No thread is left behind.
 */
export async function extractPass(request: PassRequest): Promise<void> {
  const { batchSize, laid, backbones } = request;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new AppError('InvalidRequest', 'The batch size must be 1 or more.');
  const { tileCount } = laid.grid;
  const starts = backbones.flatMap(({ cuts }) => cuts.map(({ firstTile }) => firstTile));
  if (starts.some((first) => first % chunkTiles(batchSize) !== 0 && first < tileCount)) {
    throw new AppError('InvalidRequest', 'Extraction can only go on at the first tile of a chunk.');
  }
  throwIfCancelled(request.signal);
  if (starts.every((first) => first >= tileCount)) return;
  const {
    stain,
    openDecoder = (slidePath, workers) => createDecodePool({ slidePath, workers, ...(stain && { stain }) }),
  } = request;
  const worker = request.worker ?? new InferenceWorker();
  try {
    const decoder = openDecoder(request.slidePath, request.decodeWorkers ?? DECODE_WORKERS);
    try {
      await extractWith(request, worker, decoder);
    } finally {
      await decoder.close();
    }
  } finally {
    if (!request.worker) await worker.close();
  }
}

/** Decoding a tile costs a few percent of computing its features: one thread keeps up with a CPU. */
const DECODE_WORKERS = 1;

function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AppError('Cancelled', 'The analysis was cancelled.');
}

async function extractWith(request: PassRequest, worker: InferenceWorker, decoder: RegionDecoder): Promise<void> {
  const lanes: Lane[] = [];
  try {
    for (const target of request.backbones) {
      const cuts = target.cuts.filter(({ firstTile }) => firstTile < request.laid.grid.tileCount);
      if (cuts.length > 0) lanes.push(await openLane(request, { ...target, cuts }, worker));
    }
    await new Pipeline(request, worker, decoder, lanes).run();
  } finally {
    for (const { session } of lanes) await worker.release(session);
  }
}

/** One backbone at work: its session and, for each cut, the chunk that is being filled. */
interface Lane {
  readonly target: BackboneTarget;
  readonly session: number;
  /** The first tile any of its cuts needs. */
  readonly firstTile: number;
  /** Features of one tile, all cuts together. */
  readonly featureDim: number;
  readonly chunks: readonly Float32Array[];
}

async function openLane(request: PassRequest, target: BackboneTarget, worker: InferenceWorker): Promise<Lane> {
  const { card, cuts, modelPath } = target;
  const { session } = await worker.load({
    modelPath,
    cuts: cuts.map(({ cut }) => cut),
    input: card.input,
    inputName: card.inputName,
    threads: request.threads,
    provider: request.provider ?? 'cpu',
  });
  return {
    target,
    session,
    firstTile: Math.min(...cuts.map(({ firstTile }) => firstTile)),
    featureDim: cuts.reduce((sum, { cut }) => sum + cut.featureDim, 0),
    chunks: cuts.map(({ cut }) => new Float32Array(chunkTiles(request.batchSize) * cut.featureDim)),
  };
}

interface Slot {
  /** Pixels of a batch by input size: backbones of one size share them. */
  readonly pixels: ReadonlyMap<string, SharedArrayBuffer>;
  /** Features of a batch, one block a lane. */
  readonly features: readonly SharedArrayBuffer[];
  /** Settles when the slot's last batch is through. */
  idle: Promise<void>;
}

/** Backbones of one key see the same pixels. */
const sizeKey = ({ input }: BackboneCard): string => {
  const { interpolation, cropFromPx } = input.resize ?? WHOLE_IMAGE;
  return `${input.widthPx}x${input.heightPx} ${interpolation} ${cropFromPx}`;
};

/** One pass under way. */
class Pipeline {
  private readonly request: PassRequest;
  private readonly worker: InferenceWorker;
  private readonly decoder: RegionDecoder;
  private readonly lanes: readonly Lane[];
  private readonly chunkTiles: number;
  private readonly firstTile: number;
  private delivered: Promise<void> = Promise.resolve();
  private failure: unknown = null;
  private tilesDone: number;

  constructor(request: PassRequest, worker: InferenceWorker, decoder: RegionDecoder, lanes: readonly Lane[]) {
    this.request = request;
    this.worker = worker;
    this.decoder = decoder;
    this.lanes = lanes;
    this.chunkTiles = chunkTiles(request.batchSize);
    this.firstTile = Math.min(...lanes.map(({ firstTile }) => firstTile));
    this.tilesDone = this.firstTile;
  }

  async run(): Promise<void> {
    const { batchSize, laid, signal } = this.request;
    const slots = Array.from({ length: SLOTS }, () => this.makeSlot());
    let turn = 0;
    for (let first = this.firstTile; first < laid.grid.tileCount && !this.stopped(); first += batchSize) {
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
    const { batchSize } = this.request;
    const pixels = new Map<string, SharedArrayBuffer>();
    for (const { target } of this.lanes) {
      const { widthPx, heightPx } = target.card.input;
      const key = sizeKey(target.card);
      if (!pixels.has(key)) pixels.set(key, new SharedArrayBuffer(batchSize * widthPx * heightPx * 3));
    }
    const bytes = batchSize * Float32Array.BYTES_PER_ELEMENT;
    const features = this.lanes.map(({ featureDim }) => new SharedArrayBuffer(bytes * featureDim));
    return { pixels, features, idle: Promise.resolve() };
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
    try {
      const active = this.lanes.flatMap((lane, index) => (first >= lane.firstTile ? [{ lane, index }] : []));
      await this.decode(slot, first, count, active);
      for (const { lane, index } of active) {
        if (this.stopped()) return false;
        const pixels = slot.pixels.get(sizeKey(lane.target.card));
        const output = slot.features[index];
        if (pixels === undefined || output === undefined) return false;
        await this.worker.run({ session: lane.session, pixels, pixelOffset: 0, count, output, outputOffset: 0 });
      }
      return true;
    } catch (error) {
      this.failure ??= error;
      return false;
    }
  }

  /** Size after size, so that the stored tiles of the second are still in the decoder's cache. */
  private async decode(
    slot: Slot,
    first: number,
    count: number,
    active: readonly { readonly lane: Lane }[],
  ): Promise<void> {
    const cards = new Map(active.map(({ lane }) => [sizeKey(lane.target.card), lane.target.card]));
    for (const [key, { input }] of cards) {
      const output = slot.pixels.get(key);
      if (output === undefined || this.stopped()) return;
      const regions = Array.from({ length: count }, (_, i) => seenRegion(tileRef(this.request.laid, first + i), input));
      const { interpolation } = input.resize ?? WHOLE_IMAGE;
      const size = { outWidthPx: input.widthPx, outHeightPx: input.heightPx };
      const batch = { regions, ...size, interpolation, output, offset: 0 };
      await this.decoder.readRegions(batch, this.request.signal);
    }
  }

  private async deliver(slot: Slot, first: number, count: number): Promise<void> {
    const { laid, onProgress } = this.request;
    for (const [index, lane] of this.lanes.entries()) {
      const features = slot.features[index];
      if (features !== undefined && first >= lane.firstTile) await this.deliverLane(lane, features, first, count);
    }
    this.tilesDone = first + count;
    onProgress?.(this.tilesDone, laid.grid.tileCount);
  }

  private async deliverLane(lane: Lane, features: SharedArrayBuffer, first: number, count: number): Promise<void> {
    const chunkFirst = first - (first % this.chunkTiles);
    const chunkEnd = Math.min(chunkFirst + this.chunkTiles, this.request.laid.grid.tileCount);
    let offset = 0;
    for (const [index, { cut, firstTile, onChunk }] of lane.target.cuts.entries()) {
      const { featureDim } = cut;
      const block = new Float32Array(features, offset, count * featureDim);
      offset += block.byteLength;
      const chunk = lane.chunks[index];
      if (chunk === undefined || first < firstTile) continue;
      chunk.set(block, (first - chunkFirst) * featureDim);
      const tiles = chunkEnd - chunkFirst;
      if (first + count === chunkEnd) await onChunk(chunkFirst, chunk.slice(0, tiles * featureDim), tiles);
    }
  }
}
