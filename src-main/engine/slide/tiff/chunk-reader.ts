import { CodecError } from '../../codec/codec-error.ts';
import { decodeDeflate, decodeZstd } from '../../codec/inflate.ts';
import { decodeJpeg } from '../../codec/jpeg.ts';
import { assembleJpeg, type JpegColour, readJpegHeader } from '../../codec/jpeg-stream.ts';
import { readJpeg2000Header } from '../../codec/jpeg2000.ts';
import { decodeLzw } from '../../codec/lzw.ts';
import { decodePackBits } from '../../codec/pack-bits.ts';
import { undoPredictor } from '../../codec/predictor.ts';
import { decodeWasm } from '../../codec/wasm-codecs.ts';
import { decodeWebp } from '../../codec/webp.ts';
import type { ByteSource } from '../byte-source.ts';
import { formatUnsupported, slideDamaged, subsampledJpeg2000 } from '../slide-errors.ts';
import type { RgbImage } from '../slide-source.ts';
import { samplesToRgb } from './samples.ts';
import { COMPRESSION, isJpeg2000, PHOTOMETRIC, TAG } from './tags.ts';
import { isRawSamples, readChunkTable, type TiffPage } from './tiff-page.ts';

/** A compressed tile is never larger than this many times its pixels; more comes from a damaged byte count. */
const MAX_BYTES_PER_SAMPLE = 8;

/** Reads the tiles (or strips) of one TIFF directory, as stored bytes or as RGB. */
export class ChunkReader {
  readonly page: TiffPage;
  readonly #source: ByteSource;
  #table: ReturnType<typeof readChunkTable> | null = null;
  #jpegTables: Promise<Uint8Array | null> | null = null;

  constructor(source: ByteSource, page: TiffPage) {
    this.#source = source;
    this.page = page;
  }

  /** The stored bytes of a chunk; null where the file has none for it. Throws SlideDamaged. */
  async stored(index: number): Promise<Uint8Array | null> {
    this.#table ??= readChunkTable(this.page);
    const { offsets, byteCounts } = await this.#table;
    const offset = offsets.at(index);
    const byteCount = byteCounts.at(index);
    if (byteCount === 0) return null;
    if (offset === 0) throw slideDamaged(`tile ${index} at offset 0`);
    const { chunkWidthPx, chunkHeightPx, samplesPerPixel } = this.page;
    const limit = chunkWidthPx * chunkHeightPx * samplesPerPixel * MAX_BYTES_PER_SAMPLE + (1 << 16);
    if (byteCount > limit) throw slideDamaged(`tile ${index} of ${byteCount} bytes`);
    return this.#source.read(offset, byteCount);
  }

  /** A self-contained JPEG of a chunk stored as JPEG; null for a chunk without bytes. Throws SlideDamaged. */
  async storedJpeg(index: number): Promise<Uint8Array | null> {
    const stored = await this.stored(index);
    if (stored === null) return null;
    this.#jpegTables ??= this.page.ifd.bytes(TAG.jpegTables, 1 << 16);
    try {
      const jpeg = assembleJpeg(await this.#jpegTables, stored, jpegColour(this.page.photometric));
      const header = readJpegHeader(jpeg);
      if (header.widthPx !== this.page.chunkWidthPx || header.heightPx < this.#rowsOf(index)) {
        throw new CodecError(`JPEG frame of ${header.widthPx} x ${header.heightPx} px`);
      }
      return jpeg;
    } catch (error) {
      throw asDamage(error, index);
    }
  }

  /** A chunk as RGB at full chunk size (a last strip: at its own height); null for a chunk without bytes. Throws SlideDamaged. */
  async rgb(index: number): Promise<RgbImage | null> {
    const stored = this.page.compression === COMPRESSION.jpeg ? await this.storedJpeg(index) : await this.stored(index);
    if (stored === null) return null;
    try {
      return await this.#decode(stored, this.#rowsOf(index));
    } catch (error) {
      throw asDamage(error, index);
    }
  }

  /** A chunk stored as plain samples, decompressed; null for a chunk without bytes. Throws SlideDamaged. */
  async samples(index: number): Promise<Uint8Array | null> {
    const stored = await this.stored(index);
    if (stored === null) return null;
    try {
      return await this.#samples(stored, this.#rowsOf(index));
    } catch (error) {
      throw asDamage(error, index);
    }
  }

  #rowsOf(index: number): number {
    const { tiled, chunkHeightPx, heightPx, columns, rows } = this.page;
    if (tiled) return chunkHeightPx;
    const row = Math.floor(index / columns) % rows;
    return Math.min(chunkHeightPx, heightPx - row * chunkHeightPx);
  }

  async #decode(stored: Uint8Array, heightPx: number): Promise<RgbImage> {
    const { compression, chunkWidthPx } = this.page;
    if (isRawSamples(compression)) {
      return { widthPx: chunkWidthPx, heightPx, data: samplesToRgb(await this.#samples(stored, heightPx), this.page) };
    }
    if (isJpeg2000(compression) && readJpeg2000Header(stored).subsampled) throw subsampledJpeg2000();
    const image = await decodeImage(stored, compression);
    if (image.widthPx === chunkWidthPx && image.heightPx === heightPx) return image;
    if (image.widthPx !== chunkWidthPx || image.heightPx < heightPx) {
      throw new CodecError(`tile decodes to ${image.widthPx} x ${image.heightPx} px`);
    }
    return { widthPx: chunkWidthPx, heightPx, data: image.data.subarray(0, chunkWidthPx * heightPx * 3) };
  }

  async #samples(stored: Uint8Array, heightPx: number): Promise<Uint8Array> {
    const { chunkWidthPx, samplesPerPixel, bitsPerSample, predictor, planar, littleEndian } = this.page;
    const stride = planar ? 1 : samplesPerPixel;
    const expectedBytes = chunkWidthPx * heightPx * stride * (bitsPerSample / 8);
    const samples = await decompress(stored, this.page.compression, expectedBytes);
    if (predictor === 2) undoPredictor(samples, chunkWidthPx * stride, stride, bitsPerSample, littleEndian);
    else if (predictor !== 1) throw formatUnsupported(`TIFF predictor ${predictor}`);
    return samples;
  }
}

function jpegColour(photometric: number): JpegColour {
  if (photometric === PHOTOMETRIC.rgb) return 'rgb';
  return photometric === PHOTOMETRIC.ycbcr ? 'ycbcr' : 'unknown';
}

async function decodeImage(stored: Uint8Array, compression: number): Promise<RgbImage> {
  switch (compression) {
    case COMPRESSION.jpeg:
      return decodeJpeg(stored);
    case COMPRESSION.aperioJpeg2000Ycbcr:
      return decodeWasm({ kind: 'jpeg2000', colour: 'ycbcr' }, stored);
    case COMPRESSION.aperioJpeg2000Rgb:
    case COMPRESSION.jpeg2000:
      return decodeWasm({ kind: 'jpeg2000', colour: 'rgb' }, stored);
    case COMPRESSION.webp:
      return decodeWebp(stored);
    default:
      throw formatUnsupported(`TIFF compression ${compression}`);
  }
}

async function decompress(stored: Uint8Array, compression: number, expectedBytes: number): Promise<Uint8Array> {
  switch (compression) {
    case COMPRESSION.none:
      if (stored.length < expectedBytes) throw new CodecError(`${stored.length} of ${expectedBytes} bytes`);
      return stored.subarray(0, expectedBytes);
    case COMPRESSION.lzw:
      return decodeLzw(stored, expectedBytes);
    case COMPRESSION.packBits:
      return decodePackBits(stored, expectedBytes);
    case COMPRESSION.deflate:
    case COMPRESSION.adobeDeflate:
      return decodeDeflate(stored, expectedBytes);
    case COMPRESSION.zstd:
      return decodeZstd(stored, expectedBytes);
    default:
      throw formatUnsupported(`TIFF compression ${compression}`);
  }
}

function asDamage(error: unknown, index: number): unknown {
  return error instanceof CodecError ? slideDamaged(`tile ${index}: ${error.message}`, error) : error;
}
