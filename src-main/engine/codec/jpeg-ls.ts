import createCodec, { type Codec } from '@cornerstonejs/codec-charls/wasmjs';
import { CodecError } from './codec-error.ts';
import { readJpegHeader } from './jpeg-stream.ts';
import type { RasterImage } from './raster.ts';
import { interleaveToRgb } from './sample-layout.ts';

const MAX_PIXELS = 1 << 24;
const INTERLEAVE_NONE = 0;

let codec: Promise<Codec> | null = null;

/** Decodes an 8-bit grey or RGB JPEG-LS stream (ITU T.87) with CharLS. Throws CodecError. */
export async function decodeJpegLs(stream: Uint8Array): Promise<RasterImage> {
  const header = readJpegHeader(stream);
  if (header.widthPx * header.heightPx === 0 || header.widthPx * header.heightPx > MAX_PIXELS) {
    throw new CodecError(`JPEG-LS frame of ${header.widthPx} x ${header.heightPx} px`);
  }
  codec ??= createCodec({ print: () => {}, printErr: () => {} });
  const { JpegLSDecoder } = await codec;
  const decoder = new JpegLSDecoder();
  try {
    decoder.getEncodedBuffer(stream.length).set(stream);
    decoder.decode();
    const { width, height, bitsPerSample, componentCount } = decoder.getFrameInfo();
    const samples = width * height * componentCount;
    const decoded = decoder.getDecodedBuffer();
    if (bitsPerSample !== 8 || samples === 0 || decoded.length < samples) {
      throw new CodecError(`JPEG-LS frame with ${bitsPerSample} bits`);
    }
    // The codec hands out a clamped view of its own memory: copy it as plain bytes.
    const bytes = new Uint8Array(decoded.buffer, decoded.byteOffset, samples).slice();
    const planar = componentCount > 1 && decoder.getInterleaveMode() === INTERLEAVE_NONE;
    return {
      widthPx: width,
      heightPx: height,
      data: interleaveToRgb(bytes, componentCount, planar),
    };
  } catch (error) {
    codec = null;
    if (error instanceof CodecError) throw error;
    throw new CodecError('JPEG-LS stream does not decode', { cause: error });
  } finally {
    decoder.delete();
  }
}
