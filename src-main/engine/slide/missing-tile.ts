import type { RgbImage } from './slide-source.ts';

/** Greys lighter than an optical density of 0.08, below which no tissue mask looks for tissue. */
const GROUND = 240;
const LINE = 213;
const STRIPE_PX = 24;
const LINE_PX = 5;

/**
 * What stands where a tile has no bytes in the file: grey hatching that nobody takes for tissue or for glass, and
 * `missing` set, so that no analysis takes it for either.
 */
export function missingTile(widthPx: number, heightPx: number): RgbImage {
  const data = new Uint8Array(widthPx * heightPx * 3).fill(GROUND);
  for (let y = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++) {
      if ((x + y) % STRIPE_PX < LINE_PX) data.fill(LINE, (y * widthPx + x) * 3, (y * widthPx + x + 1) * 3);
    }
  }
  return { widthPx, heightPx, data, missing: true };
}

/** `missing` for an image made of other ones. */
export function missingMark(missing: boolean): Pick<RgbImage, 'missing'> {
  return missing ? { missing: true } : {};
}
