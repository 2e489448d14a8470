import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { realSlide } from '../testing/real-data.ts';
import { openSlideSource } from './open-slide.ts';
import type { SlideSource } from './slide-source.ts';

interface GoldenRegion {
  readonly level: number;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
  readonly sha256: string;
}

interface GoldenSlide {
  readonly vendor: string;
  readonly levels: readonly (readonly [number, number])[];
  readonly downsamples: readonly number[];
  readonly mpp: string | null;
  readonly objective: string | null;
  readonly associated: Readonly<Record<string, { size: readonly [number, number]; sha256: string }>>;
  readonly regions: readonly GoldenRegion[];
}

interface GoldenResampled {
  readonly file: string;
  readonly regions: readonly { x: number; y: number; extent: number; out: number; sha256: string }[];
}

const { resampled, ...slides } = JSON.parse(
  readFileSync(new URL('./slides.golden.json', import.meta.url), 'utf8'),
) as Record<string, GoldenSlide> & { resampled: GoldenResampled };

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe.each(Object.entries(slides as Record<string, GoldenSlide>))('%s as OpenSlide reads it', (name, golden) => {
  const path = realSlide(name);
  let opened: Promise<SlideSource> | null = null;
  const slide = (): Promise<SlideSource> => {
    opened ??= openSlideSource(path ?? '');
    return opened;
  };
  afterAll(async () => {
    if (opened !== null) await (await opened).close();
  });

  it.skipIf(path === null)('has its dimensions, levels, pixel size and vendor', async () => {
    const { info } = await slide();
    expect(info.vendor).toBe(golden.vendor);
    expect(info.levels.map((level) => [level.widthPx, level.heightPx])).toEqual(golden.levels);
    for (const [level, downsample] of golden.downsamples.entries()) {
      expect(info.levels[level]?.downsample).toBeCloseTo(downsample, 9);
    }
    if (golden.mpp !== null) expect(info.mpp?.xUm).toBe(Number(golden.mpp));
    expect(info.objective).toBe(golden.objective === null ? null : Number(golden.objective));
    const associated = Object.fromEntries(
      info.associated.map((image) => [image.name, [image.widthPx, image.heightPx]]),
    );
    expect(associated).toEqual(
      Object.fromEntries(Object.entries(golden.associated).map(([key, image]) => [key, image.size])),
    );
  });

  it.skipIf(path === null)('has its pixels at every level, past the border and across tile seams', async () => {
    const source = await slide();
    const wrong: GoldenRegion[] = [];
    for (const region of golden.regions) {
      const image = await source.readLevelRegion(region.level, region.x, region.y, region.w, region.h);
      if (sha256(image.data) !== region.sha256) wrong.push(region);
    }
    expect(wrong).toEqual([]);
  });

  it.skipIf(path === null)('has its associated images', async () => {
    const source = await slide();
    for (const [key, image] of Object.entries(golden.associated)) {
      const { bytes } = await source.associated(key);
      expect({ key, sha256: sha256(await sharp(bytes).raw().toBuffer()) }).toEqual({ key, sha256: image.sha256 });
    }
  });

  it.skipIf(path === null)('passes tiles to a browser that decode to the tiles it decodes itself', async () => {
    const source = await slide();
    for (const [level, { columns, rows }] of source.info.levels.entries()) {
      const encoded = await source.encodedTile(level, columns - 1, rows - 1);
      if (source.info.compression !== 'jpeg') {
        expect(encoded).toBeNull();
        continue;
      }
      const tile = await source.readTile(level, columns - 1, rows - 1);
      const pixels = await sharp(encoded?.bytes).raw().toBuffer();
      expect(sha256(pixels)).toBe(sha256(tile.data));
    }
  });
});

describe('regions of any size', () => {
  const path = realSlide(resampled.file);

  it.skipIf(path === null)("are Pillow's antialiased bilinear resize to the bit", async () => {
    const source = await openSlideSource(path ?? '');
    const wrong: unknown[] = [];
    for (const { x, y, extent, out, sha256: expected } of resampled.regions) {
      const image = await source.readRegion({
        x0Px: x,
        y0Px: y,
        widthLevel0Px: extent,
        heightLevel0Px: extent,
        outWidthPx: out,
        outHeightPx: out,
      });
      if (sha256(image.data) !== expected) wrong.push({ x, y, extent, out });
    }
    await source.close();
    expect(wrong).toEqual([]);
  });

  it.skipIf(path === null)('are the stored pixels at 1:1', async () => {
    const source = await openSlideSource(path ?? '');
    const request = {
      x0Px: 700,
      y0Px: 1100,
      widthLevel0Px: 224,
      heightLevel0Px: 224,
      outWidthPx: 224,
      outHeightPx: 224,
    };
    const resampledImage = await source.readRegion(request);
    const native = await source.readLevelRegion(0, 700, 1100, 224, 224);
    expect(sha256(resampledImage.data)).toBe(sha256(native.data));
    await source.close();
  });
});
