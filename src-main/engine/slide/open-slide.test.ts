import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import { fitStain, stainTransform } from '../extract/stain/stain.ts';
import { realSlide } from '../testing/real-data.ts';
import { createDecodePool } from './decode-pool.ts';
import { fingerprintSlide } from './fingerprint.ts';
import { openSlideSource } from './open-slide.ts';
import { readRegionBatch } from './region-batch.ts';
import { jpegPyramid, scratchFolder, testPixels, testTiles } from './test-files.ts';
import { buildTiff, pageTags } from './tiff/test-tiff.ts';

const scratch = scratchFolder();
afterAll(() => scratch.remove());

async function infoOf(path: string): Promise<SlideInfo> {
  const slide = await openSlideSource(path);
  await slide.close();
  return slide.info;
}

describe('opening what is no slide', () => {
  it.each([
    ['a text file', 'notes.svs', 'These are notes, not a slide.\n'.repeat(20)],
    ['an empty file', 'empty.svs', ''],
    ['three bytes', 'short.tif', 'II*'],
  ])('%s is NotASlide', async (_what, name, content) => {
    await expect(openSlideSource(scratch.write(name, content))).rejects.toMatchObject({ code: 'NotASlide' });
  });

  it('a missing file and a folder are FileUnreadable', async () => {
    await expect(openSlideSource(join(scratch.path, 'gone.svs'))).rejects.toMatchObject({ code: 'FileUnreadable' });
    mkdirSync(join(scratch.path, 'folder'), { recursive: true });
    await expect(openSlideSource(join(scratch.path, 'folder'))).rejects.toMatchObject({ code: 'FileUnreadable' });
  });

  const unopenable = realSlide('openslide-fixtures/unopenable.tiff');
  it.skipIf(unopenable === null)("OpenSlide's unopenable.tiff does not open", async () => {
    await expect(openSlideSource(unopenable ?? '')).rejects.toMatchObject({ code: 'SlideFormatUnsupported' });
  });

  const unreadable = realSlide('openslide-fixtures/unreadable.svs');
  it.skipIf(unreadable === null)("OpenSlide's unreadable.svs opens, and its pixels are SlideDamaged", async () => {
    const slide = await openSlideSource(unreadable ?? '');
    await expect(slide.readLevelRegion(0, 0, 0, 16, 16)).rejects.toMatchObject({ code: 'SlideDamaged' });
    await expect(slide.encodedTile(0, 0, 0)).rejects.toMatchObject({ code: 'SlideDamaged' });
    await slide.close();
  });
});

describe('pixel size', () => {
  const slideWith = async (tags: Parameters<typeof pageTags>[0]): Promise<string> =>
    scratch.write(
      'mpp.tif',
      buildTiff([{ tags: pageTags(tags), chunks: await testTiles(64, 64, 64, (data) => data) }]),
    );
  const base = { width: 64, height: 64, tile: 64 };

  it('is unknown where the file does not say', async () => {
    expect((await infoOf(await slideWith(base))).mpp).toBeNull();
  });

  it('comes from the resolution tags, in centimetres or inches', async () => {
    const resolution = (perUnit: number, unit: number) =>
      [
        { tag: 282, type: 'rational', values: [perUnit] },
        { tag: 283, type: 'rational', values: [perUnit * 2] },
        { tag: 296, type: 'short', values: [unit] },
      ] as const;
    const cm = await infoOf(await slideWith({ ...base, extra: resolution(20_000, 3) }));
    expect(cm.mpp).toEqual({ xUm: 0.5, yUm: 0.25, source: 'file' });
    const inch = await infoOf(await slideWith({ ...base, extra: resolution(25_400, 2) }));
    expect(inch.mpp?.xUm).toBeCloseTo(1, 9);
  });

  it('of 72 dpi is no pixel size, and the slide says why', async () => {
    const extra = [
      { tag: 282, type: 'rational', values: [72] },
      { tag: 283, type: 'rational', values: [72] },
      { tag: 296, type: 'short', values: [2] },
    ] as const;
    const info = await infoOf(await slideWith({ ...base, extra }));
    expect(info.mpp).toBeNull();
    expect(info.warnings.join(' ')).toContain('353 µm');
  });

  it("comes from the description of Hyaline's own slides", async () => {
    const path = scratch.write('demo.tif', await jpegPyramid({ description: 'Hyaline synthetic|MPP = 0.5|Seed = 1' }));
    const info = await infoOf(path);
    expect(info).toMatchObject({ vendor: 'hyaline-synthetic', compression: 'jpeg', mpp: { xUm: 0.5, yUm: 0.5 } });
    expect(info.levels).toHaveLength(2);
  });
});

describe('containers', () => {
  const encodings = [
    ['none', 1, (data: Uint8Array) => data],
    ['deflate', 8, (data: Uint8Array) => deflateSync(data)],
    ['zstd', 50000, (data: Uint8Array) => zstdCompressSync(data)],
  ] as const;
  const layouts = [
    [false, true],
    [false, false],
    [true, true],
    [true, false],
  ] as const;

  it.each(encodings)(
    '%s tiles read back exactly, in either byte order, classic or BigTIFF',
    async (name, code, encode) => {
      for (const [big, littleEndian] of layouts) {
        const page = {
          tags: pageTags({ width: 150, height: 90, tile: 64, compression: code }),
          chunks: await testTiles(150, 90, 64, encode),
        };
        const path = scratch.write(`${name}.tif`, buildTiff([page], { big, littleEndian }));
        const slide = await openSlideSource(path);
        expect(slide.info.compression).toBe(name);
        const image = await slide.readLevelRegion(0, 50, 30, 100, 60);
        expect(Buffer.compare(image.data, testPixels(100, 60, 50, 30))).toBe(0);
        await slide.close();
      }
    },
  );

  it('a missing tile is hatched and said to be missing, on opening, in the viewer and before any analysis', async () => {
    const chunks = [...(await testTiles(128, 128, 64, (data) => data))];
    chunks[3] = new Uint8Array(0);
    const tags = pageTags({ width: 128, height: 128, tile: 64, description: 'Aperio test|MPP = 0.5' });
    const slide = await openSlideSource(scratch.write('missing.tif', buildTiff([{ tags, chunks }])));
    expect(slide.info.warnings).toEqual([expect.stringContaining('Tiles are missing in the file (1 of level 0)')]);
    const tile = await slide.readTile(0, 1, 1);
    expect(tile.missing).toBe(true);
    // Grey, so that it has no colour of tissue, and neither the white of glass nor of one tone.
    const greys = new Set(tile.data);
    expect(greys.size).toBe(2);
    expect(greys.has(255)).toBe(false);
    for (const grey of greys) expect(-Math.log10(grey / 255)).toBeLessThan(0.08);
    expect(await slide.encodedTile(0, 1, 1)).toBeNull();
    const region = { x0Px: 40, y0Px: 40, widthLevel0Px: 32, heightLevel0Px: 32 };
    const reduced = await slide.readRegion({ ...region, outWidthPx: 16, outHeightPx: 16 });
    expect(reduced.missing).toBe(true);
    expect((await slide.readLevelRegion(0, 0, 0, 128, 64)).missing).toBeUndefined();
    const output = new SharedArrayBuffer(16 * 16 * 3);
    const batch = { regions: [region], outWidthPx: 16, outHeightPx: 16, output, offset: 0 };
    await expect(readRegionBatch(slide, batch)).rejects.toMatchObject({
      code: 'SlideDamaged',
      message: expect.stringContaining('no pixels in the file'),
    });
    await slide.close();
  });

  it('outside the slide is white, and a tile that does not exist is refused', async () => {
    const chunks = await testTiles(128, 128, 64, (data) => data);
    const tags = pageTags({ width: 128, height: 128, tile: 64 });
    const slide = await openSlideSource(scratch.write('whole.tif', buildTiff([{ tags, chunks }])));
    expect(slide.info.warnings).toEqual([]);
    const corner = await slide.readLevelRegion(0, 120, 120, 20, 20);
    expect(corner.data.subarray(8 * 3, 20 * 3).every((value) => value === 255)).toBe(true);
    const outside = await slide.readRegion({
      x0Px: -500.5,
      y0Px: 0,
      widthLevel0Px: 100,
      heightLevel0Px: 100,
      outWidthPx: 40,
      outHeightPx: 40,
    });
    expect(outside.data.every((value) => value === 255)).toBe(true);
    await expect(slide.readTile(0, 2, 0)).rejects.toMatchObject({ code: 'InvalidRequest' });
    await expect(slide.readTile(1, 0, 0)).rejects.toMatchObject({ code: 'InvalidRequest' });
    await expect(slide.encodedTile(0, -1, 0)).rejects.toMatchObject({ code: 'InvalidRequest' });
    await slide.close();
  });

  it('a cancelled read rejects as Cancelled', async () => {
    const slide = await openSlideSource(scratch.write('cancel.tif', await jpegPyramid()));
    const request = { x0Px: 0, y0Px: 0, widthLevel0Px: 90, heightLevel0Px: 90, outWidthPx: 45.0, outHeightPx: 45 };
    await expect(slide.readRegion(request, AbortSignal.abort())).rejects.toMatchObject({ code: 'Cancelled' });
    await slide.close();
  });
});

describe('fingerprint', () => {
  it('follows the content, not the name or the folder', async () => {
    const bytes = await jpegPyramid();
    const first = await fingerprintSlide(scratch.write('a.tif', bytes));
    mkdirSync(join(scratch.path, 'moved'), { recursive: true });
    const moved = join(scratch.path, 'moved', 'b.svs');
    writeFileSync(moved, bytes);
    expect(await fingerprintSlide(moved)).toBe(first);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    expect(await fingerprintSlide(scratch.write('c.tif', bytes))).not.toBe(first);
  });

  it('reads only samples of a large file and still tells its ends, size and samples apart', async () => {
    const large = scratch.write('large.bin', 'x');
    truncateSync(large, 6 * 2 ** 30);
    const started = performance.now();
    const first = await fingerprintSlide(large);
    expect(performance.now() - started).toBeLessThan(2000);
    truncateSync(large, 6 * 2 ** 30 + 1);
    expect(await fingerprintSlide(large)).not.toBe(first);
  });
});

describe('decode pool', () => {
  let path = '';
  beforeAll(async () => {
    path = scratch.write('pool.tif', await jpegPyramid());
  });
  const regions = Array.from({ length: 30 }, (_, index) => ({
    x0Px: (index % 6) * 30.25,
    y0Px: Math.floor(index / 6) * 30.25,
    widthLevel0Px: 40,
    heightLevel0Px: 40,
  }));
  const regionBytes = 32 * 32 * 3;

  it('writes each region where it belongs, as the slide itself reads it', async () => {
    const pool = createDecodePool({ slidePath: path, workers: 2 });
    const output = new SharedArrayBuffer(100 + regions.length * regionBytes);
    await pool.readRegions({ regions, outWidthPx: 32, outHeightPx: 32, output, offset: 100 });
    const slide = await openSlideSource(path);
    for (const [index, region] of regions.entries()) {
      const image = await slide.readRegion({ ...region, outWidthPx: 32, outHeightPx: 32 });
      const written = new Uint8Array(output, 100 + index * regionBytes, regionBytes);
      expect(Buffer.compare(image.data, written)).toBe(0);
    }
    expect(new Uint8Array(output, 0, 100).every((value) => value === 0)).toBe(true);
    await pool.close();
    await slide.close();
  });

  it('repaints every region exactly once, wherever its place in the output is', async () => {
    const stained = (shift: number): Uint8Array =>
      Uint8Array.from(
        { length: 64 * 64 * 3 },
        (_, at) => ([150, 80, 140][at % 3] ?? 0) + ((at * 7919) % 60) - 30 + shift,
      );
    const [source, target] = [fitStain('reinhard', stained(0)), fitStain('reinhard', stained(25))];
    if (source === null || target === null) throw new Error('the test colours hold no tissue');
    const stain = { source, target };
    const pool = createDecodePool({ slidePath: path, workers: 2, stain });
    const output = new SharedArrayBuffer(regions.length * regionBytes);
    await pool.readRegions({ regions, outWidthPx: 32, outHeightPx: 32, output, offset: 0 });
    const slide = await openSlideSource(path);
    const repaint = stainTransform(stain);
    for (const [index, region] of regions.entries()) {
      const image = await slide.readRegion({ ...region, outWidthPx: 32, outHeightPx: 32 });
      repaint(image.data);
      expect(Buffer.compare(image.data, new Uint8Array(output, index * regionBytes, regionBytes))).toBe(0);
    }
    await pool.close();
    await slide.close();
  });

  it('reports why a slide does not open, and refuses memory that is too small', async () => {
    const gone = createDecodePool({ slidePath: join(scratch.path, 'gone.tif'), workers: 1 });
    const output = new SharedArrayBuffer(regions.length * regionBytes);
    const batch = { regions, outWidthPx: 32, outHeightPx: 32, output, offset: 0 };
    await expect(gone.readRegions(batch)).rejects.toMatchObject({ code: 'FileUnreadable' });
    await gone.close();
    const pool = createDecodePool({ slidePath: path, workers: 1 });
    await expect(pool.readRegions({ ...batch, offset: 1 })).rejects.toMatchObject({ code: 'InvalidRequest' });
    await expect(pool.readRegions(batch, AbortSignal.abort())).rejects.toMatchObject({ code: 'Cancelled' });
    await pool.readRegions(batch);
    await pool.close();
  });
});

describe('a real slide, renamed', () => {
  const path = realSlide('aperio/CMU-1-Small-Region.svs');
  it.skipIf(path === null)('opens by its contents and keeps its fingerprint', async () => {
    const copy = join(scratch.path, 'renamed.dat');
    copyFileSync(path ?? '', copy);
    const slide = await openSlideSource(copy);
    expect(slide.info.vendor).toBe('aperio');
    await slide.close();
    expect(await fingerprintSlide(copy)).toBe(await fingerprintSlide(path ?? ''));
    expect(readFileSync(copy).length).toBe(1_938_955);
  });
});
