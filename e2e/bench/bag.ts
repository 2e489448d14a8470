import { rmSync } from 'node:fs';
import { openStore } from '../../src-main/engine/store/open-store.ts';
import { sampleChunk, storeSample, temporaryFolder } from '../../src-main/engine/store/testing/samples.ts';

export interface BagBench {
  readonly tileCount: number;
  readonly dim: number;
  readonly megabytes: number;
  /** Storing all chunks, one transaction each, fsync included. */
  readonly appendMs: number;
  /** Medians of five: the whole bag into one array, through the store's thread, checksums verified. */
  readonly readMs: number;
  /** The first read after opening. */
  readonly firstReadMs: number;
}

/** Stores a bag in chunks of `chunkTiles` in a temporary store and reads it back. Aim: 20,000 x 1,024 in 200 ms. */
export async function benchBag(tileCount = 20_000, dim = 1024, chunkTiles = 64): Promise<BagBench> {
  const folder = temporaryFolder();
  try {
    const writing = await openStore({ folder, slowMs: Number.POSITIVE_INFINITY });
    const run = await storeSample(writing, 'bench', tileCount, dim);
    const { values } = sampleChunk(run, 0, chunkTiles);
    const startMs = performance.now();
    for (let firstTile = 0; firstTile < tileCount; firstTile += chunkTiles) {
      const count = Math.min(chunkTiles, tileCount - firstTile);
      const part = values.subarray(0, count * dim);
      await writing.appendFeatures({ runId: run.id, firstTile, tileCount: count, dim, values: part });
    }
    const appendMs = performance.now() - startMs;
    await writing.close();
    const reading = await openStore({ folder, slowMs: Number.POSITIVE_INFINITY });
    const times: number[] = [];
    for (let i = 0; i < 6; i++) {
      const readStartMs = performance.now();
      const read = await reading.readFeatures(run.id);
      times.push(performance.now() - readStartMs);
      if (read.length !== tileCount * dim) throw new Error('the bag came back short');
    }
    await reading.close();
    const [firstReadMs = 0, ...later] = times;
    const readMs = later.sort((a, b) => a - b)[2] ?? 0;
    return { tileCount, dim, megabytes: (tileCount * dim * 4) / 1e6, appendMs, readMs, firstReadMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Prints the figures. */
export async function bench(): Promise<void> {
  const { tileCount, dim, megabytes, readMs, firstReadMs } = await benchBag();
  console.log(
    `  a bag of ${tileCount} x ${dim} float32 (${megabytes.toFixed(0)} MB, checksums verified): ${readMs.toFixed(0)} ms, first ${firstReadMs.toFixed(0)} ms (aim 200)`,
  );
}
