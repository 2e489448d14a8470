import sharp, { type JpegOptions } from 'sharp';
import { describe, expect, it } from 'vitest';
import { testPixels } from '../slide/test-files.ts';
import { decodeBySharp, decodeJpeg, encodeJpeg } from './jpeg.ts';
import { assembleJpeg } from './jpeg-stream.ts';
import { decodeInThisThread } from './thread-mode.ts';
import { turboJpeg } from './turbo-jpeg.ts';

const turbo = turboJpeg();
const MAX_PIXELS = 1 << 24;

const jpegOf = (width: number, height: number, options: JpegOptions, grey = false): Promise<Uint8Array> => {
  const pipeline = sharp(testPixels(width, height), { raw: { width, height, channels: 3 } });
  return (grey ? pipeline.greyscale() : pipeline).jpeg(options).toBuffer();
};

const STREAMS: readonly (readonly [string, () => Promise<Uint8Array>])[] = [
  ['4:4:4', () => jpegOf(240, 240, { quality: 70, chromaSubsampling: '4:4:4' })],
  ['4:2:0', () => jpegOf(256, 256, { quality: 85, chromaSubsampling: '4:2:0' })],
  ['4:2:0 of odd size', () => jpegOf(37, 61, { quality: 50, chromaSubsampling: '4:2:0' })],
  ['one pixel', () => jpegOf(1, 1, { chromaSubsampling: '4:2:0' })],
  ['progressive', () => jpegOf(130, 97, { progressive: true, chromaSubsampling: '4:2:0' })],
  ['grey', () => jpegOf(64, 48, {}, true)],
  [
    'RGB',
    async () =>
      assembleJpeg(null, await encodeJpeg({ widthPx: 96, heightPx: 64, data: testPixels(96, 64) }, 75), 'rgb'),
  ],
  ['quality 1', () => jpegOf(120, 120, { quality: 1 })],
];

describe.skipIf(turbo === null)('libjpeg-turbo, called directly', () => {
  it.each(STREAMS)('%s: every pixel as sharp decodes it', async (_name, make) => {
    const stream = await make();
    const image = await turbo?.decode(stream, MAX_PIXELS);
    const expected = await decodeBySharp(stream);
    expect([image?.widthPx, image?.heightPx]).toEqual([expected.widthPx, expected.heightPx]);
    expect(Buffer.compare(image?.data ?? new Uint8Array(0), expected.data)).toBe(0);
  });

  it('decodes many at once, each to its own pixels', async () => {
    const streams = await Promise.all(STREAMS.map(([, make]) => make()));
    const [alone, together] = [[] as Uint8Array[], await Promise.all(streams.map((stream) => decodeJpeg(stream)))];
    for (const stream of streams) alone.push((await decodeBySharp(stream)).data);
    for (const [index, { data }] of together.entries()) expect(Buffer.compare(data, alone[index] ?? data)).toBe(0);
  });

  it('takes a thousand at once', async () => {
    const stream = await jpegOf(37, 61, { quality: 50 });
    const expected = (await decodeBySharp(stream)).data;
    const images = await Promise.all(Array.from({ length: 1000 }, () => decodeJpeg(stream)));
    expect(images.every(({ data }) => Buffer.compare(data, expected) === 0)).toBe(true);
  });

  it('leaves CMYK to sharp', async () => {
    const cmyk = await sharp(testPixels(32, 32), { raw: { width: 32, height: 32, channels: 3 } })
      .toColourspace('cmyk')
      .jpeg()
      .toBuffer();
    expect(await turbo?.decode(cmyk, MAX_PIXELS)).toBeNull();
  });

  it('refuses what is cut short, larger than allowed, or has two frames, and decodes the next one', async () => {
    const stream = await jpegOf(240, 240, { quality: 70 });
    const isCodecError = { name: 'CodecError' };
    await expect(turbo?.decode(stream.subarray(0, stream.length - 300), MAX_PIXELS)).rejects.toMatchObject(
      isCodecError,
    );
    await expect(turbo?.decode(stream, 240 * 239)).rejects.toMatchObject(isCodecError);
    // A frame of JPEG-LS in front, which libjpeg skips: the size must be the one of the frame that is decoded.
    const small = Uint8Array.from([0xff, 0xd8, 0xff, 0xf7, 0, 17, 8, 0, 8, 0, 8, 3, 1, 17, 0, 2, 17, 0, 3, 17, 0]);
    const two = Buffer.concat([small, stream.subarray(2)]);
    const outcome = await decodeJpeg(two).catch((error: unknown) => error);
    if (outcome instanceof Error) expect(outcome).toMatchObject(isCodecError);
    else expect(outcome).toMatchObject({ widthPx: 240, heightPx: 240 });
    expect(await decodeJpeg(stream)).toMatchObject({ widthPx: 240, heightPx: 240 });
  });

  it('gives the same on a thread that decodes itself', async () => {
    const stream = await jpegOf(240, 240, { quality: 70 });
    const off = await decodeJpeg(stream);
    decodeInThisThread();
    expect(Buffer.compare((await decodeJpeg(stream)).data, off.data)).toBe(0);
  });
});

it('is there where its library is handed out', () => {
  expect(turbo === null).toBe(process.platform === 'win32');
});
