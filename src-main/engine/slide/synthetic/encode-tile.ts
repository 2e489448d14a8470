import jpegTurbo from '@julusian/jpeg-turbo';
import { GLASS } from './canvas.ts';

const SIDE_PX = 256;
const GLASS_TILE = Buffer.alloc(SIDE_PX * SIDE_PX * 3, Uint8Array.from(GLASS));
const encodedGlass = new Map<number, Uint8Array>();

/** True for a 256 px tile of nothing but empty glass. */
export function isGlass(rgb: Uint8Array): boolean {
  return GLASS_TILE.equals(rgb);
}

/** A 256 px RGB tile as a JPEG stream (YCbCr 4:4:4). Empty glass, most of a slide, is encoded once. */
export function encodeTile(rgb: Uint8Array, quality: number): Uint8Array {
  if (!isGlass(rgb)) return compress(rgb, quality);
  const known = encodedGlass.get(quality) ?? compress(rgb, quality);
  encodedGlass.set(quality, known);
  return known;
}

const room = Buffer.allocUnsafe(
  jpegTurbo.bufferSize({ width: SIDE_PX, height: SIDE_PX, subsampling: jpegTurbo.SAMP_444 }),
);

/** The encoder's answer is a view of its whole output buffer: copied, so that a tile takes no more than its bytes. */
function compress(rgb: Uint8Array, quality: number): Uint8Array {
  const encoded = jpegTurbo.compressSync(Buffer.from(rgb.buffer, rgb.byteOffset, rgb.length), room, {
    format: jpegTurbo.FORMAT_RGB,
    width: SIDE_PX,
    height: SIDE_PX,
    subsampling: jpegTurbo.SAMP_444,
    quality,
  });
  return new Uint8Array(encoded);
}
