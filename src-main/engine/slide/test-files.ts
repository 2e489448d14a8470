import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import createOpenJpeg from '@cornerstonejs/codec-openjpeg/wasmjs';
import { encodeJpeg } from '../codec/jpeg.ts';
import type { ByteSource } from './byte-source.ts';
import { slideDamaged } from './slide-errors.ts';
import { buildTiff, pageTags, type TestTiffOptions } from './tiff/test-tiff.ts';

/** A scratch folder for a test file; `remove` at the end. */
export function scratchFolder(): {
  readonly path: string;
  write(name: string, bytes: Uint8Array | string): string;
  remove(): void;
} {
  const path = mkdtempSync(join(tmpdir(), 'hyaline-slide-'));
  return {
    path,
    write(name, bytes) {
      const file = join(path, name);
      writeFileSync(file, bytes);
      return file;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Smooth coloured pixels that differ at every place: tests see swapped tiles, channels and off-by-one origins. */
export function testPixels(widthPx: number, heightPx: number, x0Px = 0, y0Px = 0): Uint8Array {
  const data = new Uint8Array(widthPx * heightPx * 3);
  for (let y = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++) {
      const at = (y * widthPx + x) * 3;
      data[at] = (x0Px + x) & 255;
      data[at + 1] = (y0Px + y) & 255;
      data[at + 2] = ((x0Px + x) * 3 + (y0Px + y) * 5) & 255;
    }
  }
  return data;
}

/** The tiles of an image of `testPixels`, in file order, each made to bytes by `encode`. */
export async function testTiles(
  width: number,
  height: number,
  tile: number,
  encode: (data: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<readonly Uint8Array[]> {
  const tiles: Uint8Array[] = [];
  for (let y = 0; y < height; y += tile) {
    for (let x = 0; x < width; x += tile) tiles.push(await encode(testPixels(tile, tile, x, y)));
  }
  return tiles;
}

/** A lossless JPEG 2000 codestream of RGB pixels (or whatever the three components stand for). */
export async function jpeg2000Stream(widthPx: number, heightPx: number, data: Uint8Array): Promise<Uint8Array> {
  const { J2KEncoder } = await createOpenJpeg({ print: () => {}, printErr: () => {} });
  const encoder = new J2KEncoder();
  const frame = { width: widthPx, height: heightPx, bitsPerSample: 8, componentCount: 3, isSigned: false };
  encoder.getDecodedBuffer(frame).set(data);
  encoder.encode();
  const stream = encoder.getEncodedBuffer().slice();
  encoder.delete();
  return stream;
}

/** A small generic pyramid with JPEG tiles. */
export async function jpegPyramid(options: TestTiffOptions & { description?: string } = {}): Promise<Uint8Array> {
  const encode = (data: Uint8Array): Promise<Uint8Array> => encodeJpeg({ widthPx: 64, heightPx: 64, data }, 90);
  const { description } = options;
  const pages = [];
  for (const [index, side] of [200, 100].entries()) {
    pages.push({
      tags: pageTags({
        width: side,
        height: side,
        tile: 64,
        compression: 7,
        photometric: 6,
        ...(description === undefined || index > 0 ? {} : { description }),
        extra: index === 0 ? [] : [{ tag: 254, type: 'long', values: [1] }],
      }),
      chunks: await testTiles(side, side, 64, encode),
    });
  }
  return buildTiff(pages, options);
}

/** A file that lives in memory. */
export function memorySource(bytes: Uint8Array): ByteSource {
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || !(offset + length <= bytes.length)) {
      throw slideDamaged(`bytes ${offset}+${length} lie outside the file of ${bytes.length} bytes`);
    }
    return bytes.slice(offset, offset + length);
  };
  return { sizeBytes: bytes.length, read, readCached: read, close: async () => {} };
}
