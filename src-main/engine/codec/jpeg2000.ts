import createCodec, { type Codec } from '@cornerstonejs/codec-openjpeg/wasmjs';
import { CodecError } from './codec-error.ts';
import type { RasterImage } from './raster.ts';
import { ycbcrToRgb } from './ycbcr.ts';

const MAX_PIXELS = 1 << 24;

/** A failed decode may leave memory of the instance in use: after this many it is replaced. */
const FAILURES_PER_INSTANCE = 100;

let codec: Promise<Codec> | null = null;
let failures = 0;

/** One instance per thread; its diagnostics would otherwise go to the console for every damaged tile. */
function loadCodec(): Promise<Codec> {
  codec ??= createCodec({ print: () => {}, printErr: () => {} });
  return codec;
}

/** After a trap inside WebAssembly the instance cannot be trusted; after an ordinary failure it can, for a while. */
function noteFailure(error: unknown): void {
  failures++;
  if (!(error instanceof WebAssembly.RuntimeError) && failures < FAILURES_PER_INSTANCE) return;
  codec = null;
  failures = 0;
}

/**
 * Decodes a JPEG 2000 codestream or .jp2 to 8-bit RGB with OpenJPEG. `colour` says what the components are when the
 * codestream itself has no colour transform: Aperio's scheme 33003 stores YCbCr. Samples of more than 8 bits are
 * scaled down. Throws CodecError for damaged streams.
 */
export async function decodeJpeg2000(stream: Uint8Array, colour: 'rgb' | 'ycbcr'): Promise<RasterImage> {
  checkHeader(stream);
  const { J2KDecoder } = await loadCodec();
  const decoder = new J2KDecoder();
  try {
    decoder.getEncodedBuffer(stream.length).set(stream);
    decoder.decode();
    const { width, height, componentCount, bitsPerSample, isSigned } = decoder.getFrameInfo();
    const decoded = decoder.getDecodedBuffer();
    const samples = width * height * componentCount;
    if (samples === 0 || isSigned || decoded.length < samples * (bitsPerSample > 8 ? 2 : 1)) {
      throw new CodecError('JPEG 2000 stream does not decode');
    }
    const data = toRgb8(decoded, width * height, componentCount, bitsPerSample);
    if (colour === 'ycbcr' && componentCount >= 3) ycbcrToRgb(data);
    return { widthPx: width, heightPx: height, data };
  } catch (error) {
    noteFailure(error);
    if (error instanceof CodecError) throw error;
    throw new CodecError('JPEG 2000 stream does not decode', { cause: error });
  } finally {
    decoder.delete();
  }
}

/** What the SIZ segment of a codestream says (T.800, A.5.1). */
export interface Jpeg2000Header {
  readonly widthPx: number;
  readonly heightPx: number;
  /** True where a component has fewer samples than the image has pixels (4:2:2, 4:2:0). */
  readonly subsampled: boolean;
}

/** Reads the SIZ segment, which leads every codestream. Throws CodecError where there is none. */
export function readJpeg2000Header(stream: Uint8Array): Jpeg2000Header {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  // A .jp2 has boxes in front of its codestream, a few hundred bytes at most.
  for (let at = 0; at + 45 < Math.min(stream.length, 8192); at++) {
    if (view.getUint32(at) !== 0xff4fff51) continue;
    const components = view.getUint16(at + 40);
    let subsampled = false;
    for (let index = 0; index < components && at + 44 + index * 3 < stream.length; index++) {
      subsampled ||= view.getUint8(at + 43 + index * 3) !== 1 || view.getUint8(at + 44 + index * 3) !== 1;
    }
    return {
      widthPx: view.getUint32(at + 8) - view.getUint32(at + 16),
      heightPx: view.getUint32(at + 12) - view.getUint32(at + 20),
      subsampled,
    };
  }
  throw new CodecError('no JPEG 2000 codestream');
}

/** Refuses what the decoder cannot take, before it allocates: absurd sizes, and components of different sizes. */
function checkHeader(stream: Uint8Array): void {
  const { widthPx, heightPx, subsampled } = readJpeg2000Header(stream);
  if (widthPx <= 0 || heightPx <= 0 || widthPx * heightPx > MAX_PIXELS) {
    throw new CodecError(`JPEG 2000 image of ${widthPx} x ${heightPx} px`);
  }
  if (subsampled) throw new CodecError('JPEG 2000 image with subsampled colour');
}

function toRgb8(decoded: Uint8Array, pixels: number, components: number, bits: number): Uint8Array {
  if (bits === 8 && components === 3) return new Uint8Array(decoded.buffer, decoded.byteOffset, pixels * 3).slice();
  const rgb = new Uint8Array(pixels * 3);
  const wide = bits > 8 ? new Uint16Array(decoded.slice(0, pixels * components * 2).buffer) : decoded;
  const shift = Math.max(bits - 8, 0);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      rgb[pixel * 3 + channel] = (wide[pixel * components + (components < 3 ? 0 : channel)] ?? 0) >> shift;
    }
  }
  return rgb;
}
