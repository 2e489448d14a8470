import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeJpeg, encodeJpeg } from './jpeg.ts';
import { assembleJpeg, readJpegHeader } from './jpeg-stream.ts';

const pixels = Uint8Array.from({ length: 32 * 24 * 3 }, (_, index) => (index * 7) & 255);
const image = { widthPx: 32, heightPx: 24, data: pixels };

function adobeMarkers(stream: Uint8Array): number {
  return Buffer.from(stream).toString('latin1').split('Adobe').length - 1;
}

/** Cuts a stream into the tables TIFF keeps apart and the abbreviated stream that is left. */
function split(stream: Uint8Array): { tables: Uint8Array; abbreviated: Uint8Array } {
  const tables: number[] = [0xff, 0xd8];
  const rest: number[] = [0xff, 0xd8];
  let at = 2;
  while (stream[at + 1] !== 0xda) {
    const end = at + 2 + (((stream[at + 2] ?? 0) << 8) | (stream[at + 3] ?? 0));
    const isTable = stream[at + 1] === 0xdb || stream[at + 1] === 0xc4;
    (isTable ? tables : rest).push(...stream.subarray(at, end));
    at = end;
  }
  return {
    tables: Uint8Array.from([...tables, 0xff, 0xd9]),
    abbreviated: Uint8Array.from([...rest, ...stream.subarray(at)]),
  };
}

describe('a self-contained JPEG from a TIFF tile', () => {
  it('has the tables of the directory in front and decodes to the same pixels', async () => {
    const stream = await encodeJpeg(image, 90);
    const { tables, abbreviated } = split(stream);
    await expect(decodeJpeg(abbreviated)).rejects.toThrow();
    const joined = assembleJpeg(tables, abbreviated, 'ycbcr');
    expect(Buffer.compare((await decodeJpeg(joined)).data, (await decodeJpeg(stream)).data)).toBe(0);
  });

  it('is the stored stream itself where nothing is missing', async () => {
    const stream = await encodeJpeg(image, 90);
    expect(assembleJpeg(null, stream, 'ycbcr')).toBe(stream);
    expect(assembleJpeg(null, stream, 'unknown')).toBe(stream);
  });

  it('says RGB where the TIFF does, with one Adobe marker and without JFIF', async () => {
    const stream = await encodeJpeg(image, 90);
    expect(readJpegHeader(stream).hasJfif).toBe(true);
    const asRgb = assembleJpeg(null, stream, 'rgb');
    expect(adobeMarkers(asRgb)).toBe(1);
    expect(readJpegHeader(asRgb)).toMatchObject({ adobeTransform: 0, hasJfif: false });
    // The three components come out unconverted: Y, Cb and Cr as they are stored.
    const stored = await decodeJpeg(asRgb);
    const converted = await decodeJpeg(stream);
    expect(Buffer.compare(stored.data, converted.data)).not.toBe(0);
    const again = assembleJpeg(null, asRgb, 'rgb');
    expect(again).toBe(asRgb);
  });

  it('replaces a marker that contradicts the TIFF instead of adding a second', async () => {
    const asRgb = assembleJpeg(null, await encodeJpeg(image, 90), 'rgb');
    const asYcbcr = assembleJpeg(null, asRgb, 'ycbcr');
    expect(adobeMarkers(asYcbcr)).toBe(1);
    expect(readJpegHeader(asYcbcr).adobeTransform).toBe(1);
    expect(Buffer.compare((await decodeJpeg(asYcbcr)).data, (await decodeJpeg(await encodeJpeg(image, 90))).data)).toBe(
      0,
    );
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['no start marker', Uint8Array.from([1, 2, 3, 4, 5, 6])],
    ['a segment that leaves the stream', Uint8Array.from([0xff, 0xd8, 0xff, 0xdb, 0xff, 0xff, 0])],
    ['no scan', Uint8Array.from([0xff, 0xd8, 0xff, 0xd9, 0, 0])],
  ])('%s is a CodecError', (_what, stream) => {
    expect(() => assembleJpeg(null, stream, 'rgb')).toThrow(expect.objectContaining({ name: 'CodecError' }));
  });
});

describe('decoding JPEG', () => {
  it('gives grey images three equal channels', async () => {
    const grey = await sharp(pixels, { raw: { width: 32, height: 24, channels: 3 } })
      .greyscale()
      .jpeg()
      .toBuffer();
    const { data } = await decodeJpeg(grey);
    expect(data).toHaveLength(32 * 24 * 3);
    for (let at = 0; at < data.length; at += 3) expect([data[at + 1], data[at + 2]]).toEqual([data[at], data[at]]);
  });

  it('refuses truncated and corrupt entropy-coded data', async () => {
    const stream = await encodeJpeg(image, 90);
    await expect(decodeJpeg(stream.slice(0, stream.length - 200))).rejects.toMatchObject({ name: 'CodecError' });
    const corrupt = stream.slice();
    corrupt.set([0xff, 0xc0, 0, 4, 1, 1], stream.length - 600);
    await expect(decodeJpeg(corrupt)).rejects.toMatchObject({ name: 'CodecError' });
  });
});
