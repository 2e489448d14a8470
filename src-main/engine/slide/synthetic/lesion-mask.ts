import { writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { emptyFields, lesionTruth } from './fields.ts';
import type { Scene } from './scene.ts';

/** Finest resolution of the truth mask, µm per pixel; coarser on slides where it would exceed MAX_SIDE_PX. */
const MASK_MPP_UM = 4;
const MAX_SIDE_PX = 4096;

export interface LesionMask {
  readonly path: string;
  readonly widthPx: number;
  readonly heightPx: number;
  /** Micrometres per pixel of the mask. */
  readonly mppUm: number;
}

/**
 * Writes where the planted lesions truly are: an 8-bit grey PNG of the whole slide, 255 inside a lesion, 0 elsewhere,
 * and beside it a JSON file that states the mask's pixel size (`mppUm`).
 */
export async function writeLesionMask(scene: Scene, path: string): Promise<LesionMask> {
  const { widthUm, heightUm, lesions } = scene.layout;
  const mppUm = Math.max(MASK_MPP_UM, scene.mppUm, Math.max(widthUm, heightUm) / MAX_SIDE_PX);
  const widthPx = Math.max(1, Math.round(widthUm / mppUm));
  const heightPx = Math.max(1, Math.round(heightUm / mppUm));
  const mask = new Uint8Array(widthPx * heightPx);
  const scratch = emptyFields();
  for (const lesion of lesions) {
    const reach = 1.6 * Math.max(lesion.radiusXUm, lesion.radiusYUm) + 150;
    const bottom = Math.min(heightPx, Math.ceil((lesion.yUm + reach) / mppUm));
    const right = Math.min(widthPx, Math.ceil((lesion.xUm + reach) / mppUm));
    for (let y = Math.max(0, Math.floor((lesion.yUm - reach) / mppUm)); y < bottom; y++) {
      for (let x = Math.max(0, Math.floor((lesion.xUm - reach) / mppUm)); x < right; x++) {
        if (lesionTruth(scene, (x + 0.5) * mppUm, (y + 0.5) * mppUm, scratch)) mask[y * widthPx + x] = 255;
      }
    }
  }
  const png = sharp(mask, { raw: { width: widthPx, height: heightPx, channels: 1 } })
    .toColourspace('b-w')
    .png();
  await writeFile(path, await png.toBuffer());
  const about = { mppUm, widthPx, heightPx, slideMppUm: scene.mppUm, seed: scene.seed, lesions: lesions.length };
  await writeFile(path.replace(/png$/, 'json'), `${JSON.stringify(about)}\n`);
  return { path, widthPx, heightPx, mppUm };
}
