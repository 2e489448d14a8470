import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import createCharls from '@cornerstonejs/codec-charls/wasmjs';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { realSlide } from '../../testing/real-data.ts';
import { openByteSource } from '../byte-source.ts';
import { fingerprintSlide } from '../fingerprint.ts';
import { openSlideSource } from '../open-slide.ts';
import { scratchFolder, testPixels } from '../test-files.ts';
import { decodeFrame } from './frame-decoder.ts';
import { readInstance } from './instance.ts';

const golden = JSON.parse(readFileSync(new URL('./dicom.golden.json', import.meta.url), 'utf8')) as {
  real: Record<string, { width: number; height: number; sha256: string }>;
  fixtures: { exact: string; jpeg: string };
};
const scratch = scratchFolder();
afterAll(() => scratch.remove());

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A fixture alone in a folder, with the other files it is named with. */
function fixture(...names: readonly string[]): string {
  const folder = join(scratch.path, names.join('+'));
  mkdirSync(folder, { recursive: true });
  for (const name of names) {
    copyFileSync(fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url)), join(folder, name));
  }
  return join(folder, names[0] ?? '');
}

async function wholeSlide(path: string): Promise<Uint8Array> {
  const slide = await openSlideSource(path);
  const { data } = await slide.readLevelRegion(0, 0, 0, slide.info.widthPx, slide.info.heightPx);
  await slide.close();
  return data;
}

describe('real DICOM slides as pydicom and Pillow read them', () => {
  for (const [name, { width, height, sha256: expected }] of Object.entries(golden.real)) {
    const path = realSlide(name);
    it.skipIf(path === null)(name, async () => {
      const slide = await openSlideSource(path ?? '');
      expect([slide.info.widthPx, slide.info.heightPx]).toEqual([width, height]);
      expect(slide.info.reader).toBe('dicom');
      const whole = await slide.readLevelRegion(0, 0, 0, width, height);
      expect(sha256(whole.data)).toBe(expected);
      await slide.close();
    });
  }

  const boxes = realSlide('openslide-fixtures/boxes_0.dcm');
  it.skipIf(boxes === null)('the files of a series are one slide, whichever is opened', async () => {
    const other = realSlide('openslide-fixtures/boxes_1.dcm') ?? '';
    const [first, second] = [await openSlideSource(boxes ?? ''), await openSlideSource(other)];
    expect(second.info).toEqual(first.info);
    expect(first.info).toMatchObject({ objective: 20, mpp: { xUm: 0.499, source: 'file' }, hasIccProfile: true });
    expect(first.info.associated).toEqual([{ name: 'thumbnail', widthPx: 16, heightPx: 16 }]);
    expect(await fingerprintSlide(other)).toBe(await fingerprintSlide(boxes ?? ''));
    await first.close();
    await second.close();
  });

  const jpeg = realSlide('dicom/wsi2dcm_jpeg.dcm');
  it.skipIf(jpeg === null)('JPEG frames pass to the browser as they are', async () => {
    const slide = await openSlideSource(jpeg ?? '');
    const encoded = await slide.encodedTile(0, 1, 1);
    const tile = await slide.readTile(0, 1, 1);
    expect(sha256(await sharp(encoded?.bytes).raw().toBuffer())).toBe(sha256(tile.data));
    await slide.close();
  });
});

describe('kinds of DICOM slide for which pydicom wrote the file', () => {
  it.each(['rle.dcm', 'planar.dcm'])('%s', async (name) => {
    expect(sha256(await wholeSlide(fixture(name)))).toBe(golden.fixtures.exact);
  });

  it.each(['extended-offsets.dcm', 'fragments.dcm'])('%s', async (name) => {
    expect(sha256(await wholeSlide(fixture(name)))).toBe(golden.fixtures.jpeg);
  });

  it('a concatenation of two files is one level, and its pixel size has x and y the right way round', async () => {
    const path = fixture('concatenation_0.dcm', 'concatenation_1.dcm');
    expect(sha256(await wholeSlide(path))).toBe(golden.fixtures.exact);
    const slide = await openSlideSource(path);
    expect(slide.info.levels).toHaveLength(1);
    expect(slide.info.mpp).toEqual({ xUm: 0.25, yUm: 0.5, source: 'file' });
    await slide.close();
  });

  it('a concatenation with a part missing is SlideDamaged', async () => {
    await expect(openSlideSource(fixture('concatenation_1.dcm'))).rejects.toMatchObject({ code: 'SlideDamaged' });
  });

  it('TILED_SPARSE places frames where they say and leaves the others white', async () => {
    const sparse = await wholeSlide(fixture('sparse.dcm'));
    const exact = await wholeSlide(fixture('planar.dcm'));
    for (let tile = 0; tile < 6; tile++) {
      const at = (Math.floor(tile / 3) * 16 * 40 + (tile % 3) * 16 + 2 * 40 + 3) * 3;
      const white = tile === 2 || tile === 4;
      expect([...sparse.subarray(at, at + 3)]).toEqual(white ? [255, 255, 255] : [...exact.subarray(at, at + 3)]);
    }
  });

  it('JPEG-LS frames decode exactly', async () => {
    const { JpegLSEncoder } = await createCharls({ print: () => {} });
    const data = testPixels(16, 16);
    for (const mode of [0, 1, 2]) {
      const encoder = new JpegLSEncoder();
      const frame = { width: 16, height: 16, bitsPerSample: 8, componentCount: 3 };
      encoder.setInterleaveMode(mode);
      const source = mode === 0 ? toPlanes(data) : data;
      encoder.getDecodedBuffer(frame).set(source);
      encoder.encode();
      const stream = encoder.getEncodedBuffer().slice();
      encoder.delete();
      const path = fixture('planar.dcm');
      const instance = await readInstance(path, await openByteSource(path));
      const decoded = await decodeFrame({ ...instance, transferSyntax: '1.2.840.10008.1.2.4.80' }, stream);
      await instance.source.close();
      expect(Buffer.compare(decoded.data, data)).toBe(0);
    }
  });

  it('a transfer syntax without a decoder is named', async () => {
    const bytes = readFileSync(fixture('rle.dcm'));
    const at = bytes.indexOf('1.2.840.10008.1.2.5');
    bytes.write('1.2.840.10008.1.2.9', at, 'latin1');
    await expect(openSlideSource(scratch.write('other.dcm', bytes))).rejects.toMatchObject({
      code: 'SlideFormatUnsupported',
      detail: expect.stringContaining('1.2.840.10008.1.2.9'),
    });
  });
});

function toPlanes(data: Uint8Array): Uint8Array {
  const pixels = data.length / 3;
  return Uint8Array.from(data, (_value, index) => data[(index % pixels) * 3 + Math.floor(index / pixels)] ?? 0);
}
