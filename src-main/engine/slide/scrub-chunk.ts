import { CodecError } from '../codec/codec-error.ts';
import { isBareWebp, type Scrubbed, scrubJpeg, scrubJpeg2000 } from '../codec/scrub.ts';
import { formatUnsupported, slideDamaged } from './slide-errors.ts';
import { COMPRESSION } from './tiff/tags.ts';
import type { TiffPage } from './tiff/tiff-page.ts';

/**
 * A stored tile (or strip, or JPEGTables) without what its pixels do not need: comments and application segments of
 * JPEG, comments of JPEG 2000, bytes behind plain samples. Coded pixels stay as they are. Throws SlideDamaged for what
 * cannot be taken apart, SlideFormatUnsupported where nobody here knows what else a tile may carry.
 */
export function scrubChunk(page: TiffPage, chunk: Uint8Array): Scrubbed {
  try {
    return scrubbed(page, chunk);
  } catch (error) {
    throw error instanceof CodecError ? slideDamaged(`a tile cannot be taken apart: ${error.message}`, error) : error;
  }
}

function scrubbed(page: TiffPage, chunk: Uint8Array): Scrubbed {
  const { compression, chunkWidthPx, chunkHeightPx, samplesPerPixel, bitsPerSample } = page;
  switch (compression) {
    case COMPRESSION.jpeg:
      return scrubJpeg(chunk);
    case COMPRESSION.aperioJpeg2000Ycbcr:
    case COMPRESSION.aperioJpeg2000Rgb:
    case COMPRESSION.jpeg2000:
      if (isJp2File(chunk)) throw formatUnsupported('JPEG 2000 tiles that are files of their own (.jp2)');
      return scrubJpeg2000(chunk);
    case COMPRESSION.webp:
      if (!isBareWebp(chunk)) throw formatUnsupported('WebP tiles with metadata of their own');
      return { bytes: chunk, comments: [] };
    case COMPRESSION.none: {
      const samples = Math.ceil((chunkWidthPx * chunkHeightPx * samplesPerPixel * bitsPerSample) / 8);
      return { bytes: chunk.subarray(0, samples), comments: [] };
    }
    case COMPRESSION.lzw:
    case COMPRESSION.deflate:
    case COMPRESSION.adobeDeflate:
    case COMPRESSION.packBits:
    case COMPRESSION.zstd:
      return { bytes: chunk, comments: [] };
    default:
      throw formatUnsupported(`TIFF compression ${compression}`);
  }
}

/** Starts with the signature box of ISO/IEC 15444-1, I.5.1; such a tile may carry metadata boxes of any kind. */
function isJp2File(chunk: Uint8Array): boolean {
  return chunk[4] === 0x6a && chunk[5] === 0x50 && chunk[6] === 0x20 && chunk[7] === 0x20;
}
