import { PHOTOMETRIC } from './tags.ts';
import type { TiffPage } from './tiff-page.ts';

/** Plain 8- or 16-bit samples (RGB, RGBA or grey, interleaved) as 8-bit RGB; alpha is laid over white. */
export function samplesToRgb(samples: Uint8Array, page: TiffPage): Uint8Array {
  const { samplesPerPixel, photometric } = page;
  const bytes = page.bitsPerSample === 16 ? highBytes(samples, page.littleEndian) : samples;
  if (photometric === PHOTOMETRIC.rgb && samplesPerPixel === 3) return bytes;
  const pixels = Math.floor(bytes.length / samplesPerPixel);
  const rgb = new Uint8Array(pixels * 3);
  if (photometric === PHOTOMETRIC.rgb) {
    for (let pixel = 0; pixel < pixels; pixel++) {
      const alpha = bytes[pixel * samplesPerPixel + 3] ?? 255;
      for (let channel = 0; channel < 3; channel++) {
        const value = bytes[pixel * samplesPerPixel + channel] ?? 0;
        rgb[pixel * 3 + channel] = Math.round((value * alpha) / 255 + (255 - alpha));
      }
    }
    return rgb;
  }
  const invert = photometric === PHOTOMETRIC.minIsWhite ? 255 : 0;
  for (let pixel = 0; pixel < pixels; pixel++) {
    rgb.fill((bytes[pixel * samplesPerPixel] ?? 0) ^ invert, pixel * 3, pixel * 3 + 3);
  }
  return rgb;
}

/** The most significant byte of each 16-bit sample. */
function highBytes(samples: Uint8Array, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(samples.length >> 1);
  const first = littleEndian ? 1 : 0;
  for (let index = 0; index < bytes.length; index++) bytes[index] = samples[index * 2 + first] ?? 0;
  return bytes;
}
