import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSlideSource } from '../open-slide.ts';
import { renderRegion } from './render-region.ts';
import { makeScene } from './scene.ts';
import { synthesizeInWorker } from './synthesize-in-worker.ts';
import { tiffDirectory, tiffHeader } from './tiff-directory.ts';
import { writeSynthetic } from './write-synthetic.ts';

const SLIDE = { widthPx: 1500, heightPx: 1100, seed: 5, lesions: 1 };
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-synthetic-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

describe('writeSynthetic', () => {
  it('writes a pyramid that reads back as what was painted, with its lesion mask beside', async () => {
    const ticks: number[] = [];
    const result = await writeSynthetic({
      ...SLIDE,
      outPath: join(folder, 'one.tif'),
      onProgress: (done, total) => ticks.push(done / total),
    });
    expect(ticks.at(-1)).toBe(1);
    const slide = await openSlideSource(result.path);
    try {
      expect(slide.info).toMatchObject({
        widthPx: 1500,
        heightPx: 1100,
        vendor: 'hyaline-synthetic',
        mpp: { xUm: 0.5, yUm: 0.5, source: 'file' },
      });
      expect(slide.info.levels.map((level) => [level.widthPx, level.heightPx])).toEqual([
        [1500, 1100],
        [750, 550],
        [375, 275],
      ]);
      const painted = renderRegion(makeScene({ ...SLIDE, mppUm: 0.5 }), 700, 500, 300, 300);
      const read = await slide.readLevelRegion(0, 700, 500, 300, 300);
      expect(meanDifference(read.data, painted)).toBeLessThan(4);
      const half = await slide.readLevelRegion(1, 350, 250, 150, 150);
      const reference = await sharp(painted, { raw: { width: 300, height: 300, channels: 3 } })
        .resize(150, 150, { kernel: 'linear' })
        .raw()
        .toBuffer();
      expect(meanDifference(half.data, reference)).toBeLessThan(7);
    } finally {
      await slide.close();
    }
    const mask = sharp(result.lesionMaskPath ?? '');
    expect(await mask.metadata()).toMatchObject({ width: 188, height: 138, channels: 1 });
    expect(result.lesionMaskMpp).toBe(4);
    const values = await mask.raw().toBuffer();
    const share = values.filter((value) => value === 255).length / values.length;
    expect(share).toBeGreaterThan(0.01);
    expect(share).toBeLessThan(0.5);
  });

  it('writes the same bytes on one thread and on several, directly and on a worker', async () => {
    const [one, three] = [join(folder, 'threads-1.tif'), join(folder, 'threads-3.tif')];
    await writeSynthetic({ ...SLIDE, outPath: one });
    await synthesizeInWorker({ ...SLIDE, outPath: three, threads: 3 });
    expect(Buffer.compare(await readFile(one), await readFile(three))).toBe(0);
  });

  it('holds the same tiles as classic TIFF and as BigTIFF', async () => {
    const tiles = await Promise.all(
      [false, true].map(async (bigTiff) => {
        const outPath = join(folder, `big-${bigTiff}.tif`);
        const { path } = await writeSynthetic({ ...SLIDE, widthPx: 700, heightPx: 600, lesions: 0, bigTiff, outPath });
        expect((await readFile(path)).readUInt16LE(2)).toBe(bigTiff ? 43 : 42);
        const slide = await openSlideSource(path);
        try {
          expect(slide.info.mpp).toMatchObject({ xUm: 0.5, yUm: 0.5 });
          return await Promise.all([slide.encodedTile(0, 2, 1), slide.encodedTile(1, 0, 0)]);
        } finally {
          await slide.close();
        }
      }),
    );
    expect(tiles[1]).toEqual(tiles[0]);
    expect(tiles[0]?.[0]?.bytes.length).toBeGreaterThan(500);
  });

  it('plants no lesion and writes no mask when none is asked for', async () => {
    const result = await writeSynthetic({
      ...SLIDE,
      widthPx: 300,
      heightPx: 200,
      lesions: 0,
      outPath: join(folder, 'healthy.tif'),
    });
    expect(result.lesionMaskPath).toBeNull();
    expect(existsSync(join(folder, 'healthy.lesions.png'))).toBe(false);
    expect(result.levels).toHaveLength(1);
  });

  it.each([1, 2])('leaves nothing behind when it is cancelled (%i threads)', async (threads) => {
    const abort = new AbortController();
    const outPath = join(folder, `cancelled-${threads}.tif`);
    const cancelled = synthesizeInWorker({
      ...SLIDE,
      widthPx: 4000,
      heightPx: 4000,
      outPath,
      threads,
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'Cancelled' });
    expect((await readdir(folder)).filter((name) => name.startsWith(`cancelled-${threads}`))).toEqual([]);
  });

  it('refuses impossible slides and unwritable places in a sentence', async () => {
    const outPath = join(folder, 'no.tif');
    for (const wrong of [{ widthPx: 0 }, { heightPx: 100_001 }, { lesions: -1 }, { seed: 0.5 }, { mpp: 0 }]) {
      await expect(writeSynthetic({ ...SLIDE, ...wrong, outPath })).rejects.toMatchObject({ code: 'InvalidRequest' });
    }
    const nowhere = join(folder, 'missing', 'no.tif');
    await expect(synthesizeInWorker({ ...SLIDE, outPath: nowhere })).rejects.toMatchObject({ code: 'FileUnreadable' });
  });
});

describe('tiffDirectory', () => {
  it('makes BigTIFF with 64-bit offsets beyond 4 GiB', () => {
    const far = 2 ** 33 + 5;
    const level = { widthPx: 600, heightPx: 300, tilePx: 256, mppUm: 0.5, isReduced: false, description: 'x' };
    const header = tiffHeader(true, far);
    expect([header.readUInt16LE(2), Number(header.readBigUInt64LE(8))]).toEqual([43, far]);
    const directory = tiffDirectory(
      { ...level, offsets: [far, 1, 2, 3, 4, 5], byteCounts: [1, 2, 3, 4, 5, 6] },
      far,
      true,
      true,
    );
    const count = Number(directory.readBigUInt64LE(0));
    const entries = Array.from({ length: count }, (_, index) => 8 + index * 20);
    const tags = entries.map((at) => directory.readUInt16LE(at));
    expect(tags).toEqual([...tags].sort((a, b) => a - b));
    const offsetsAt = entries[tags.indexOf(324)] ?? 0;
    const valueAt = Number(directory.readBigUInt64LE(offsetsAt + 12)) - far;
    expect(Number(directory.readBigUInt64LE(valueAt))).toBe(far);
  });
});

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += Math.abs((a[at] ?? 0) - (b[at] ?? 0));
  return sum / a.length;
}
