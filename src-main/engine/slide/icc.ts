import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { slideDamaged } from './slide-errors.ts';

/** Lattice points per axis: 33 keeps the interpolation error of display profiles below one grey value. */
export const LUT_SIDE = 33;

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * A table that turns the slide's own RGB into sRGB for display, computed by LittleCMS (through sharp) from the embedded
 * profile: `LUT_SIDE`^3 RGB triples, red changing fastest, then green, then blue, lattice point i standing for
 * i * 255 / (LUT_SIDE - 1). Colours outside sRGB are clipped, and near that edge the interpolation is off by up to 20 in
 * the clipped channel; inside by at most 2. For display on request only: inference reads the stored pixels.
 * Throws SlideDamaged where the profile is none of RGB.
 */
export async function iccDisplayLut(profile: Uint8Array): Promise<Uint8Array> {
  const colourSpace = String.fromCharCode(...profile.subarray(16, 20));
  const signature = String.fromCharCode(...profile.subarray(36, 40));
  // sharp passes over a profile that LittleCMS refuses, in silence: what is none must be seen here.
  if (profile.length < 132 || colourSpace !== 'RGB ' || signature !== 'acsp') {
    throw slideDamaged(`ICC profile of colour space "${colourSpace}"`);
  }
  try {
    const { data, info } = await sharp(latticePng(profile))
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3 || data.length !== LUT_SIDE ** 3 * 3) throw new Error(`${info.channels} channels`);
    return data;
  } catch (error) {
    throw slideDamaged('ICC profile does not apply', error);
  }
}

/** Applies a display table to RGB pixels in place, interpolating between its lattice points in all three axes. */
export function applyDisplayLut(data: Uint8Array, lut: Uint8Array): void {
  const scale = (LUT_SIDE - 1) / 255;
  const step = [3, LUT_SIDE * 3, LUT_SIDE * LUT_SIDE * 3] as const;
  for (let at = 0; at + 2 < data.length; at += 3) {
    const position = [0, 1, 2].map((axis) => (data[at + axis] as number) * scale);
    const cell = position.map((value) => Math.min(LUT_SIDE - 2, Math.floor(value)));
    const base = (cell[0] as number) * step[0] + (cell[1] as number) * step[1] + (cell[2] as number) * step[2];
    for (let channel = 0; channel < 3; channel++) {
      let sum = 0;
      for (let corner = 0; corner < 8; corner++) {
        let weight = 1;
        let from = base + channel;
        for (let axis = 0; axis < 3; axis++) {
          const fraction = (position[axis] as number) - (cell[axis] as number);
          const upper = (corner >> axis) & 1;
          weight *= upper === 1 ? fraction : 1 - fraction;
          from += upper * (step[axis] as number);
        }
        sum += weight * (lut[from] as number);
      }
      data[at + channel] = Math.round(sum);
    }
  }
}

/** The lattice as a PNG that carries the profile: the one lossless way to tell sharp what the numbers mean. */
function latticePng(profile: Uint8Array): Buffer {
  const width = LUT_SIDE;
  const height = LUT_SIDE * LUT_SIDE;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const rows = Buffer.alloc(height * (1 + width * 3));
  const level = (index: number): number => Math.round((index * 255) / (LUT_SIDE - 1));
  for (let row = 0; row < height; row++) {
    for (let red = 0; red < width; red++) {
      rows.set(
        [level(red), level(row % LUT_SIDE), level(Math.floor(row / LUT_SIDE))],
        row * (1 + width * 3) + 1 + red * 3,
      );
    }
  }
  return Buffer.concat([
    Buffer.from(PNG_SIGNATURE),
    chunk('IHDR', header),
    chunk('iCCP', Buffer.concat([Buffer.from('slide\0\0', 'latin1'), deflateSync(profile)])),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, body: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const framed = Buffer.alloc(typed.length + 8);
  framed.writeUInt32BE(body.length, 0);
  framed.set(typed, 4);
  framed.writeUInt32BE(crc32(typed), typed.length + 4);
  return framed;
}
