import sharp from 'sharp';
import { CodecError } from './codec-error.ts';
import type { RasterImage } from './raster.ts';

const MAX_PIXELS = 1 << 24;

/** Decodes a WebP image to RGB on white. Throws CodecError. */
export async function decodeWebp(stream: Uint8Array): Promise<RasterImage> {
  if (String.fromCharCode(...stream.subarray(8, 12)) !== 'WEBP') throw new CodecError('no WebP header');
  try {
    const { data, info } = await sharp(stream, { ignoreIcc: true, failOn: 'truncated', limitInputPixels: MAX_PIXELS })
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { widthPx: info.width, heightPx: info.height, data };
  } catch (error) {
    throw new CodecError('WebP stream does not decode', { cause: error });
  }
}
