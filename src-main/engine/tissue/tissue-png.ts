import sharp from 'sharp';
import { TISSUE_CLASS, type TissueMask } from './mask.ts';

/** RGBA of each class: tissue stays clear, what is left out is shaded, and what is set apart has its own tint. */
const SHADES: Readonly<Record<number, readonly [number, number, number, number]>> = {
  [TISSUE_CLASS.background]: [110, 116, 124, 120],
  [TISSUE_CLASS.tissue]: [0, 0, 0, 0],
  [TISSUE_CLASS.pen]: [0, 140, 200, 150],
  [TISSUE_CLASS.border]: [60, 64, 70, 170],
  [TISSUE_CLASS.coverslip]: [150, 110, 200, 150],
  [TISSUE_CLASS.blurred]: [230, 160, 0, 130],
};

/**
 * The mask as an RGBA PNG of its own size, to be stretched over the whole slide: transparent where there is tissue,
 * a neutral shade where there is none, tints for pen, border, coverslip and blur.
 */
export async function tissuePng(mask: TissueMask): Promise<Uint8Array> {
  const rgba = new Uint8Array(mask.classes.length * 4);
  for (let at = 0; at < mask.classes.length; at++) {
    const shade = SHADES[mask.classes[at] ?? 0];
    if (shade && shade[3] > 0) rgba.set(shade, at * 4);
  }
  const raw = { width: mask.widthPx, height: mask.heightPx, channels: 4 as const };
  return sharp(rgba, { raw, limitInputPixels: false }).png({ compressionLevel: 6 }).toBuffer();
}
