import jpegTurbo from '@julusian/jpeg-turbo';
import sharp from 'sharp';
import { CodecError } from './codec-error.ts';
import { readJpegHeader } from './jpeg-stream.ts';
import type { RasterImage } from './raster.ts';
import { turboJpeg } from './turbo-jpeg.ts';

/** No tile or strip of a slide has more pixels; a larger frame comes from a damaged header. */
const MAX_PIXELS = 1 << 24;

/**
 * Decodes a JPEG stream to 8-bit RGB with the accurate integer inverse DCT and libjpeg's own chroma upsampling, so
 * that the pixels equal OpenSlide's: by libjpeg-turbo called directly where its build allows that, else by sharp, to the
 * same bytes. Embedded ICC profiles and EXIF orientation are ignored: the container speaks for them. Throws CodecError
 * for broken or truncated streams.
 */
export async function decodeJpeg(stream: Uint8Array): Promise<RasterImage> {
  const header = readJpegHeader(stream);
  if (header.widthPx * header.heightPx === 0 || header.widthPx * header.heightPx > MAX_PIXELS) {
    throw new CodecError(`JPEG frame of ${header.widthPx} x ${header.heightPx} px`);
  }
  return (await turboJpeg()?.decode(stream, MAX_PIXELS)) ?? decodeBySharp(stream);
}

/** `decodeJpeg` by sharp, whose pipeline costs about five times as long a tile. */
export async function decodeBySharp(stream: Uint8Array): Promise<RasterImage> {
  try {
    const { data, info } = await sharp(stream, { ignoreIcc: true, failOn: 'warning', limitInputPixels: MAX_PIXELS })
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.channels === 3) return { widthPx: info.width, heightPx: info.height, data };
    return { widthPx: info.width, heightPx: info.height, data: greyToRgb(data, info.channels) };
  } catch (error) {
    throw new CodecError('JPEG stream does not decode', { cause: error });
  }
}

/** Encodes RGB as a 4:4:4 JPEG off the calling thread. `quality` is 1..100. */
export async function encodeJpeg(image: RasterImage, quality: number): Promise<Uint8Array> {
  const { widthPx: width, heightPx: height, data } = image;
  const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return jpegTurbo.compress(raw, {
    width,
    height,
    quality,
    format: jpegTurbo.FORMAT_RGB,
    subsampling: jpegTurbo.SAMP_444,
  });
}

function greyToRgb(data: Uint8Array, channels: number): Uint8Array {
  const pixels = Math.floor(data.length / channels);
  const rgb = new Uint8Array(pixels * 3);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      rgb[pixel * 3 + channel] = data[pixel * channels + (channels < 3 ? 0 : channel)] ?? 0;
    }
  }
  return rgb;
}
