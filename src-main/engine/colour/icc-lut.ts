import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { AppError } from '../../../src-shared/errors.ts';
import { ICC_LUT_SIDE } from '../../../src-shared/numeric/colour-lut.ts';

/**
 * Samples an ICC profile on a grid: for every corner of a cube of `ICC_LUT_SIDE` steps a side the sRGB colour that the
 * profile's transform (lcms in libvips, perceptual intent) gives it. RGB bytes; blue changes fastest, red slowest.
 *
 * @throws AppError SlideDamaged where the profile is not one for RGB images.
 */
export async function iccLut(profile: Uint8Array): Promise<Uint8Array> {
  const side = ICC_LUT_SIDE;
  const identity = new Uint8Array(side ** 3 * 3);
  const level = (step: number): number => Math.round((step * 255) / (side - 1));
  let at = 0;
  for (let r = 0; r < side; r++) {
    for (let g = 0; g < side; g++) {
      for (let b = 0; b < side; b++) {
        identity.set([level(r), level(g), level(b)], at);
        at += 3;
      }
    }
  }
  try {
    const header = new TextDecoder('latin1').decode(profile.subarray(0, 40));
    // ICC.1:2022, 7.2: colour space at byte 16, file signature at byte 36. libvips ignores what has another.
    if (header.slice(36) !== 'acsp' || header.slice(16, 20) !== 'RGB ') throw new Error('not an RGB profile');
    const png = await sharp(identity, { raw: { width: side * side, height: side, channels: 3 } })
      .png()
      .toBuffer();
    const { data } = await sharp(withProfile(png, profile))
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (data.length !== identity.length) throw new Error('the profile is not for RGB images');
    return new Uint8Array(data);
  } catch (cause) {
    throw new AppError('SlideDamaged', "The slide's colour profile cannot be used.", {
      advice: 'The slide is shown with its stored colours.',
      detail: String(cause),
      cause,
    });
  }
}

const SIGNATURE_BYTES = 8;
const HEADER_CHUNK_BYTES = 25;

/** The PNG with an iCCP chunk behind its header (PNG specification, 11.3.3.3), any profile it had replaced. */
function withProfile(png: Uint8Array, profile: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode('slide\0\0');
  const packed = deflateSync(profile);
  const body = new Uint8Array(4 + name.length + packed.length);
  body.set(new TextEncoder().encode('iCCP'));
  body.set(name, 4);
  body.set(packed, 4 + name.length);
  const chunk = new Uint8Array(8 + body.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(4 + body.length, crc32(body));
  const cut = SIGNATURE_BYTES + HEADER_CHUNK_BYTES;
  const result = new Uint8Array(png.length + chunk.length);
  result.set(png.subarray(0, cut));
  result.set(chunk, cut);
  result.set(png.subarray(cut), cut + chunk.length);
  return result;
}
