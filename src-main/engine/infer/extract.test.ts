import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../../../src-shared/errors.ts';
import { asId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { backbonePath, ensureBuiltIns } from '../backbone/registry.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import type { RegionBatch } from '../slide/region-batch.ts';
import { chunkTiles, type ExtractRequest, extractFeatures, type RegionDecoder } from './extract.ts';
import { extractPass } from './extract-pass.ts';
import { InferenceWorker } from './inference-worker.ts';

/** A grid of 5 columns with `tileCount` tiles, 224 level-0 pixels each. */
function gridOf(tileCount: number): LaidGrid {
  return {
    grid: {
      id: asId('grid'),
      slideId: asId('slide'),
      spec: DEFAULT_GRID,
      tissue: DEFAULT_TISSUE,
      columns: 5,
      rows: Math.ceil(tileCount / 5),
      tileLevel0Px: 224,
      strideLevel0Px: 224,
      tileCount,
      droppedCount: 0,
    },
    columns: Uint32Array.from({ length: tileCount }, (_, i) => i % 5),
    rows: Uint32Array.from({ length: tileCount }, (_, i) => Math.floor(i / 5)),
  };
}

/** Paints each region with stripes that depend on its place; keeps count of what is open. */
class StripeDecoder implements RegionDecoder {
  static open = 0;
  reads = 0;

  constructor() {
    StripeDecoder.open += 1;
  }

  async readRegions(batch: RegionBatch): Promise<void> {
    const { outWidthPx: width, outHeightPx: height, output, offset, regions } = batch;
    this.reads += 1;
    const size = width * height * 3;
    regions.forEach((region, i) => {
      const bytes = new Uint8Array(output, offset + i * size, size);
      const period = 3 + region.x0Px / 224 + (region.y0Px / 224) * 5;
      for (let p = 0; p < size; p += 1) bytes[p] = Math.floor(p / 3 / period) % 2 === 0 ? 40 + (p % 3) * 60 : 220;
    });
  }

  async close(): Promise<void> {
    StripeDecoder.open -= 1;
  }
}

interface Chunk {
  readonly first: number;
  readonly features: Float32Array;
}

let folder = '';
let worker: InferenceWorker;
let base: Omit<ExtractRequest, 'laid' | 'onChunk' | 'firstTile'>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-extract-'));
  worker = new InferenceWorker();
  const [card] = await ensureBuiltIns(folder, worker);
  const cut = card?.cuts[0];
  if (!card || !cut) throw new Error('the built-in backbone has no cut');
  base = {
    slidePath: 'none',
    modelPath: backbonePath(folder, card.id),
    card,
    cut,
    threads: 0,
    batchSize: 16,
    worker,
    openDecoder: () => new StripeDecoder(),
  };
});
afterAll(async () => {
  await worker.close();
  await rm(folder, { recursive: true, force: true });
});

async function collect(laid: LaidGrid, firstTile: number, extra: Partial<ExtractRequest> = {}): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  const onChunk = async (first: number, features: Float32Array): Promise<void> => {
    chunks.push({ first, features });
  };
  await extractFeatures({ ...base, laid, firstTile, onChunk, ...extra });
  return chunks;
}

describe('extractFeatures', () => {
  it('gives every tile once, in chunks of whole batches', async () => {
    const done: number[] = [];
    const chunks = await collect(gridOf(150), 0, { onProgress: (tiles) => done.push(tiles) });
    expect(chunks.map((chunk) => [chunk.first, chunk.features.length / 64])).toEqual([
      [0, 64],
      [64, 64],
      [128, 22],
    ]);
    expect(done.at(-1)).toBe(150);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    const rows = new Set(chunks.flatMap(({ features }) => rowsOf(features).map((row) => row.join())));
    expect(rows.size).toBeGreaterThan(100);
  });

  it('goes on at a chunk with bitwise the features of an uninterrupted run', async () => {
    const laid = gridOf(150);
    const whole = await collect(laid, 0);
    const resumed = await collect(laid, chunkTiles(16));
    expect(resumed.map((chunk) => chunk.first)).toEqual([64, 128]);
    expect(resumed).toEqual(whole.slice(1));
  });

  it('refuses to go on in the middle of a chunk', async () => {
    await expect(collect(gridOf(150), 10)).rejects.toMatchObject({ code: 'InvalidRequest' });
  });

  it('stops at a cancel, closes its decoder and leaves the worker usable', async () => {
    const cancel = new AbortController();
    const decoder = new StripeDecoder();
    const chunks: number[] = [];
    const running = extractFeatures({
      ...base,
      laid: gridOf(1_000),
      firstTile: 0,
      openDecoder: () => decoder,
      signal: cancel.signal,
      onChunk: async (first) => {
        chunks.push(first);
        cancel.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ code: 'Cancelled' });
    expect(chunks).toEqual([0]);
    expect(decoder.reads).toBeLessThan(10);
    expect(StripeDecoder.open).toBe(0);
    expect(await collect(gridOf(10), 0)).toHaveLength(1);
  });

  it.each([
    ['decoding', { openDecoder: () => brokenDecoder }, 'SlideDamaged'],
    ['storing', { onChunk: () => Promise.reject(new AppError('DiskFull', 'full')) }, 'DiskFull'],
    ['loading', { modelPath: '/nowhere.onnx' }, 'FileUnreadable'],
  ])('passes on a failure of %s', async (_, extra, code) => {
    await expect(collect(gridOf(150), 0, extra)).rejects.toMatchObject({ code });
    expect(StripeDecoder.open).toBe(0);
  });

  it('runs a thread of its own where none is given, and ends it', async () => {
    const { worker: _shared, ...request } = base;
    const chunks: number[] = [];
    await extractFeatures({
      ...request,
      laid: gridOf(3),
      firstTile: 0,
      onChunk: async (first) => void chunks.push(first),
    });
    expect(chunks).toEqual([0]);
  });
});

describe('extractPass', () => {
  /** Several cuts, in the order named, each beginning where it is told. */
  async function pass(tileCount: number, starts: Readonly<Record<string, number>>): Promise<Map<string, Chunk[]>> {
    const { cut: _cut, card, modelPath, ...rest } = base;
    const sized = (px: number) => ({ ...card, input: { ...card.input, widthPx: px, heightPx: px } });
    const found = new Map<string, Chunk[]>();
    const targets = [sized(64), sized(48)].map((used, i) => ({
      modelPath,
      card: used,
      cuts: Object.entries(starts).flatMap(([name, firstTile]) => {
        const cut = used.cuts.find((point) => point.name === name);
        if (!cut) return [];
        const chunks: Chunk[] = [];
        found.set(`${i}${name}`, chunks);
        const onChunk = async (first: number, features: Float32Array): Promise<void> => {
          chunks.push({ first, features });
        };
        return [{ cut, firstTile, onChunk }];
      }),
    }));
    await extractPass({ ...rest, laid: gridOf(tileCount), backbones: targets });
    return found;
  }

  it('gives several backbones and cuts in one pass, bitwise as in passes of their own', async () => {
    const together = await pass(70, { layer1: 0, layer2: 0 });
    expect([...together.keys()]).toEqual(['0layer1', '0layer2', '1layer1', '1layer2']);
    for (const name of ['layer1', 'layer2']) {
      const alone = await pass(70, { [name]: 0 });
      for (const i of ['0', '1']) expect(together.get(i + name)).toEqual(alone.get(i + name));
    }
    expect(together.get('0layer1')).not.toEqual(together.get('1layer1'));
  });

  it('lets each cut go on where it stopped', async () => {
    const whole = await pass(150, { layer1: 0, layer2: 0 });
    const resumed = await pass(150, { layer1: 64, layer2: 128 });
    expect(resumed.get('0layer1')).toEqual(whole.get('0layer1')?.slice(1));
    expect(resumed.get('0layer2')).toEqual(whole.get('0layer2')?.slice(2));
    expect((await pass(150, { layer1: 150, layer2: 128 })).get('0layer1')).toEqual([]);
  });

  it('decodes once for backbones of one input size', async () => {
    const decoder = new StripeDecoder();
    const { cut, card: large, modelPath, ...rest } = base;
    const card = { ...large, input: { ...large.input, widthPx: 48, heightPx: 48 } };
    const target = { modelPath, card, cuts: [{ cut, firstTile: 0, onChunk: () => Promise.resolve() }] };
    await extractPass({ ...rest, laid: gridOf(40), openDecoder: () => decoder, backbones: [target, target, target] });
    expect(decoder.reads).toBe(3);
  });
});

const brokenDecoder: RegionDecoder = {
  readRegions: () => Promise.reject(new AppError('SlideDamaged', 'damaged')),
  close: () => Promise.resolve(),
};

function rowsOf(features: Float32Array): Float32Array[] {
  return Array.from({ length: features.length / 64 }, (_, i) => features.subarray(i * 64, (i + 1) * 64));
}
