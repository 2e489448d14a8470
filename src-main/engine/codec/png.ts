import sharp from 'sharp';
import type { RasterImage } from './raster.ts';

/** Encodes RGB losslessly, tuned for speed. */
export async function encodePng(image: RasterImage): Promise<Uint8Array> {
  const { widthPx: width, heightPx: height, data } = image;
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 4 })
    .toBuffer();
}
