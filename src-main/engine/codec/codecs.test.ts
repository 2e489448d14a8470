import { deflateSync, zstdCompressSync } from 'node:zlib';
import createOpenJpeg from '@cornerstonejs/codec-openjpeg/wasmjs';
import { describe, expect, it, vi } from 'vitest';
import { decodeDicomRle } from './dicom-rle.ts';
import { decodeDeflate, decodeZstd } from './inflate.ts';
import { decodeJpeg2000 } from './jpeg2000.ts';
import { decodeLzw } from './lzw.ts';
import { decodePackBits } from './pack-bits.ts';
import { undoPredictor } from './predictor.ts';
import { decodeHere, decodeWasm } from './wasm-codecs.ts';
import { ycbcrToRgb } from './ycbcr.ts';

const isCodecError = expect.objectContaining({ name: 'CodecError' });

describe('LZW (TIFF 6.0, section 13)', () => {
  it("decodes the specification's own example", () => {
    // Page 59: 7 7 7 8 8 7 7 6 6 is coded as clear 7 258 8 8 258 6 6 end.
    const codes = [256, 7, 258, 8, 8, 258, 6, 6, 257];
    const bits = codes
      .map((code) => code.toString(2).padStart(9, '0'))
      .join('')
      .padEnd(88, '0');
    const stream = Uint8Array.from({ length: 11 }, (_, at) => Number.parseInt(bits.slice(at * 8, at * 8 + 8), 2));
    expect([...decodeLzw(stream, 9)]).toEqual([7, 7, 7, 8, 8, 7, 7, 6, 6]);
  });

  it('refuses codes that were never defined and streams that end early', () => {
    expect(() => decodeLzw(Uint8Array.from([0xff, 0xff, 0xff]), 10)).toThrow(isCodecError);
    expect(() => decodeLzw(Uint8Array.from([0x80, 0]), 10)).toThrow(isCodecError);
  });
});

describe('PackBits and DICOM RLE', () => {
  it("decodes Apple's example", () => {
    const packed = [0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7, 0xaa];
    const plain = 'aa aa aa 80 00 2a aa aa aa aa 80 00 2a 22 aa aa aa aa aa aa aa aa aa aa'.split(' ');
    const expected = plain.map((byte) => Number.parseInt(byte, 16));
    expect([...decodePackBits(Uint8Array.from(packed), 24)]).toEqual(expected);
  });

  it('refuses streams that end early and segments outside the frame', () => {
    expect(() => decodePackBits(Uint8Array.from([5, 1]), 10)).toThrow(isCodecError);
    const frame = new Uint8Array(80);
    new DataView(frame.buffer).setUint32(0, 1, true);
    new DataView(frame.buffer).setUint32(4, 4000, true);
    expect(() => decodeDicomRle(frame, 1, 10)).toThrow(isCodecError);
  });
});

describe('Deflate and Zstandard', () => {
  const data = new Uint8Array(1000).fill(9);

  it('never give more than was asked for, even from a bomb', async () => {
    const bomb = deflateSync(new Uint8Array(50_000_000));
    await expect(decodeDeflate(bomb, 1000)).rejects.toEqual(isCodecError);
    await expect(decodeZstd(zstdCompressSync(new Uint8Array(50_000_000)), 1000)).rejects.toEqual(isCodecError);
  });

  it('refuse streams that give less', async () => {
    await expect(decodeDeflate(deflateSync(data), 1001)).rejects.toEqual(isCodecError);
    expect(await decodeZstd(zstdCompressSync(data), 1000)).toHaveLength(1000);
  });
});

describe('the horizontal predictor', () => {
  it('undoes differences per channel, in 8 and 16 bits of either byte order', () => {
    const bytes = Uint8Array.from([10, 20, 30, 1, 255, 2, 5, 5, 5, 1, 1, 1]);
    undoPredictor(bytes, 6, 3, 8, true);
    expect([...bytes]).toEqual([10, 20, 30, 11, 19, 32, 5, 5, 5, 6, 6, 6]);
    for (const littleEndian of [true, false]) {
      const wide = new Uint8Array(6);
      const view = new DataView(wide.buffer);
      for (const [index, value] of [65_000, 1000, 65_535].entries()) view.setUint16(index * 2, value, littleEndian);
      undoPredictor(wide, 3, 1, 16, littleEndian);
      expect([0, 1, 2].map((index) => view.getUint16(index * 2, littleEndian))).toEqual([65_000, 464, 463]);
    }
  });
});

describe('YCbCr', () => {
  it('turns the corner colours of JFIF into RGB', () => {
    const data = Uint8Array.from([76, 85, 255, 150, 44, 21, 29, 255, 107, 255, 128, 128, 0, 128, 128]);
    ycbcrToRgb(data);
    const expected = [254, 0, 0, 0, 255, 1, 0, 0, 254, 255, 255, 255, 0, 0, 0];
    for (const [index, value] of expected.entries())
      expect(Math.abs((data[index] ?? 0) - value)).toBeLessThanOrEqual(1);
  });
});

describe('JPEG 2000', () => {
  it('is lossless where the stream is, and silent about broken ones', async () => {
    const { J2KEncoder } = await createOpenJpeg({ print: () => {}, printErr: () => {} });
    const encoder = new J2KEncoder();
    const frame = { width: 64, height: 48, bitsPerSample: 8, componentCount: 3, isSigned: false };
    const data = Uint8Array.from({ length: 64 * 48 * 3 }, (_, index) => (index * 31) & 255);
    encoder.getDecodedBuffer(frame).set(data);
    encoder.encode();
    const stream = encoder.getEncodedBuffer().slice();
    encoder.delete();
    const image = await decodeJpeg2000(stream, 'rgb');
    expect([image.widthPx, image.heightPx, Buffer.compare(image.data, data)]).toEqual([64, 48, 0]);

    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const error = vi.spyOn(console, 'error').mockImplementation(() => {});
    await expect(decodeJpeg2000(stream.slice(0, 160), 'rgb')).rejects.toEqual(isCodecError);
    const huge = stream.slice();
    new DataView(huge.buffer).setUint32(8, 0x7fffffff);
    await expect(decodeJpeg2000(huge, 'rgb')).rejects.toEqual(isCodecError);
    expect(log).not.toHaveBeenCalled();
    expect(error).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });
});

describe('WebAssembly codecs', () => {
  it('leave the event loop of their caller free, decode the same, and survive damaged streams', async () => {
    const { J2KEncoder } = await createOpenJpeg({ print: () => {}, printErr: () => {} });
    const encoder = new J2KEncoder();
    const side = 1024;
    encoder
      .getDecodedBuffer({ width: side, height: side, bitsPerSample: 8, componentCount: 3, isSigned: false })
      .set(Uint8Array.from({ length: side * side * 3 }, (_, index) => Math.imul(index, 2_654_435_761) >>> 24));
    encoder.encode();
    const stream = encoder.getEncodedBuffer().slice();
    encoder.delete();
    const coding = { kind: 'jpeg2000', colour: 'rgb' } as const;
    let ticks = 0;
    const clock = setInterval(() => ticks++, 2);
    const [image] = await Promise.all([
      decodeWasm(coding, stream),
      expect(decodeWasm(coding, stream.slice(0, 200))).rejects.toEqual(isCodecError),
    ]);
    const ticksThere = ticks;
    ticks = 0;
    const here = await decodeHere(coding, stream);
    clearInterval(clock);
    expect(Buffer.compare(image.data, here.data)).toBe(0);
    // Decoding a megapixel takes hundreds of milliseconds: elsewhere the clock goes on, here it stands.
    expect(ticksThere).toBeGreaterThan(5);
    expect(ticks).toBeLessThan(3);
  });
});
