import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import type { StudyOutcome, TunedChange } from '../../../src-shared/model/study.ts';
import { type CkaLayer, ckaMatrix, fineTuneChange } from '../compare/cka-matrix.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import type { JobContext } from '../job/queue.ts';
import type { Store } from '../store/store.ts';
import type { SlideLibrary } from './slide-library.ts';
import { readTiles, seenTiles } from './tile-pixels.ts';

export interface ChangeParts {
  readonly store: Store;
  readonly library: SlideLibrary;
  readonly worker: InferenceWorker;
  readonly threads: number;
}

export interface Network {
  readonly card: BackboneCard;
  readonly modelPath: string;
}

/** Tiles that the layers are compared on. */
const TILES = 256;
const BATCH = 16;

/**
 * CKA of a backbone before and after fine-tuning, every cut against every cut, on tiles spread evenly over the test
 * slides: none of them was trained on or helped to choose. Null with fewer than four tiles.
 *
 * @throws AppError Cancelled, SlideMoved and others where a slide cannot be read, BackboneFailed.
 */
export async function tunedChange(
  parts: ChangeParts,
  before: Network,
  after: Network,
  outcome: StudyOutcome,
  context: JobContext,
): Promise<TunedChange | null> {
  const cuts = sharedCuts(before.card, after.card);
  const tested = outcome.predictions;
  const each = Math.max(1, Math.ceil(TILES / Math.max(1, tested.length)));
  const rows: { readonly before: Float32Array[]; readonly after: Float32Array[] } = { before: [], after: [] };
  let count = 0;
  for (const [i, { slideId, runId }] of tested.entries()) {
    if (context.signal.aborted) throw new AppError('Cancelled', 'Fine-tuning was cancelled.');
    context.report({ stage: 'Layers before and after, on test tiles', done: i, total: tested.length });
    const run = await parts.store.getRun(runId);
    const laid = run === null ? null : await parts.store.getGrid(run.provenance.gridId);
    if (laid === null) continue;
    const indices = spread(laid.grid.tileCount, Math.min(each, TILES - count));
    if (indices.length === 0) continue;
    const found = await featuresOf(parts, before, after, cuts, slideId, seenTiles(laid, indices, before.card.input), {
      signal: context.signal,
    });
    rows.before.push(found.before);
    rows.after.push(found.after);
    count += indices.length;
  }
  if (count < 4 || cuts.length === 0) return null;
  const layers = [before, after].flatMap(({ card }, n): CkaLayer[] => {
    const blocks = n === 0 ? rows.before : rows.after;
    return cuts.map(({ name, featureDim }, c) => ({
      name: `${card.name}@${name}`,
      samples: { data: cutOf(blocks, cuts, c, count), count, dim: featureDim },
    }));
  });
  const cka = await ckaMatrix(layers, { worker: parts.worker, threads: parts.threads, signal: context.signal });
  return { testSlides: tested.length, cka, change: fineTuneChange(cka, before.card.name, after.card.name) };
}

/** Cuts that both networks have under the same name, input side first. */
function sharedCuts(before: BackboneCard, after: BackboneCard): readonly CutPoint[] {
  const known = new Map(after.cuts.map((cut) => [cut.name, cut]));
  return before.cuts.filter(({ name, featureDim, cumulativeParameters }) => {
    return cumulativeParameters > 0 && known.get(name)?.featureDim === featureDim;
  });
}

/** `count` numbers below `total`, evenly spread. */
function spread(total: number, count: number): number[] {
  const taken = Math.min(total, Math.max(0, count));
  return Array.from({ length: taken }, (_, i) => Math.floor(((i + 0.5) * total) / taken));
}

/** Features of one slide's tiles, cut after cut, tile after tile, by both networks. */
async function featuresOf(
  { library, worker, threads }: ChangeParts,
  before: Network,
  after: Network,
  cuts: readonly CutPoint[],
  slideId: SlideId,
  regions: Parameters<typeof readTiles>[2],
  { signal }: { readonly signal: AbortSignal },
): Promise<{ readonly before: Float32Array; readonly after: Float32Array }> {
  const pixels = await readTiles(library, slideId, regions, before.card.input, signal);
  const run = (network: Network) => runTiles(worker, network, cuts, pixels, regions.length, threads);
  return { before: await run(before), after: await run(after) };
}

async function runTiles(
  worker: InferenceWorker,
  { card, modelPath }: Network,
  cuts: readonly CutPoint[],
  pixels: SharedArrayBuffer,
  count: number,
  threads: number,
): Promise<Float32Array> {
  const own = cuts.map(({ name }) => card.cuts.find((cut) => cut.name === name) as CutPoint);
  const { input, inputName } = card;
  // The processor gives the same numbers on every machine, and a few hundred tiles take seconds.
  const { session } = await worker.load({ modelPath, cuts: own, input, inputName, threads, provider: 'cpu' });
  const bytes = input.widthPx * input.heightPx * 3;
  const dims = cuts.map(({ featureDim }) => featureDim);
  const all = new Float32Array(count * dims.reduce((sum, dim) => sum + dim, 0));
  try {
    for (let first = 0; first < count; first += BATCH) {
      const size = Math.min(BATCH, count - first);
      const output = new SharedArrayBuffer(4 * size * dims.reduce((sum, dim) => sum + dim, 0));
      await worker.run({ session, pixels, pixelOffset: first * bytes, count: size, output, outputOffset: 0 });
      let [from, to] = [0, 0];
      for (const dim of dims) {
        all.set(new Float32Array(output, 4 * from, size * dim), to + first * dim);
        from += size * dim;
        to += count * dim;
      }
    }
  } finally {
    await worker.release(session);
  }
  return all;
}

/** One cut's features of all slides. */
function cutOf(blocks: readonly Float32Array[], cuts: readonly CutPoint[], at: number, count: number): Float64Array {
  const dims = cuts.map(({ featureDim }) => featureDim);
  const width = dims.reduce((sum, dim) => sum + dim, 0);
  const before = dims.slice(0, at).reduce((sum, dim) => sum + dim, 0);
  const dim = dims[at] ?? 0;
  const data = new Float64Array(count * dim);
  let filled = 0;
  for (const block of blocks) {
    const tiles = block.length / width;
    data.set(block.subarray(before * tiles, (before + dim) * tiles), filled);
    filled += tiles * dim;
  }
  return data;
}
