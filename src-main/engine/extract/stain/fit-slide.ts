import sharp from 'sharp';
import { AppError } from '../../../../src-shared/errors.ts';
import type { StainFit } from '../../../../src-shared/model/stain.ts';
import { type LaidGrid, tileRef } from '../../grid/laid-grid.ts';
import { openSlideSource } from '../../slide/open-slide.ts';
import { MACENKO_REFERENCE } from './macenko.ts';
import { fitStain, type StainMethod } from './stain.ts';

/** Tiles a slide is fitted to, spread evenly over its grid, and the side they are read at. */
const SAMPLE_TILES = 48;
const SAMPLE_PX = 96;

/**
 * Fits a stain model to a slide: to tiles spread evenly over its grid, so that the same slide and grid always give the
 * same fit. @throws AppError NoTissue where they hold hardly any stained pixel, and as the slide's reader.
 */
export async function fitSlideStain(slidePath: string, laid: LaidGrid, method: StainMethod): Promise<StainFit> {
  const { tileCount } = laid.grid;
  const count = Math.min(SAMPLE_TILES, tileCount);
  const rgb = new Uint8Array(count * SAMPLE_PX * SAMPLE_PX * 3);
  const source = await openSlideSource(slidePath);
  try {
    for (let i = 0; i < count; i++) {
      const tile = tileRef(laid, Math.floor(((i + 0.5) * tileCount) / count));
      const region = {
        x0Px: tile.x0Px,
        y0Px: tile.y0Px,
        widthLevel0Px: tile.sizeLevel0Px,
        heightLevel0Px: tile.sizeLevel0Px,
        outWidthPx: SAMPLE_PX,
        outHeightPx: SAMPLE_PX,
      };
      const { data } = await source.readRegion(region);
      rgb.set(data, i * SAMPLE_PX * SAMPLE_PX * 3);
    }
  } finally {
    await source.close();
  }
  return fitOrRefuse(method, rgb, 'this slide');
}

/**
 * The colours slides are brought to: those of a reference image, else Macenko's published ones.
 * @throws AppError InvalidRequest for Reinhard without an image, and as `fitReferenceStain`
 */
export async function targetStain(method: StainMethod, imagePath: string | null): Promise<StainFit> {
  if (imagePath !== null) return await fitReferenceStain(imagePath, method);
  if (method === 'macenko') return MACENKO_REFERENCE;
  throw new AppError('InvalidRequest', 'Reinhard normalisation needs an image to bring the colours to.', {
    advice: 'Choose a PNG or JPEG image of tissue stained as you like it.',
  });
}

/**
 * Fits a stain model to a reference image (PNG, JPEG, TIFF).
 * @throws AppError FileUnreadable; NoTissue where it holds hardly any stained pixel.
 */
export async function fitReferenceStain(imagePath: string, method: StainMethod): Promise<StainFit> {
  let rgb: Uint8Array;
  try {
    rgb = await sharp(imagePath).removeAlpha().toColourspace('srgb').raw().toBuffer();
  } catch (cause) {
    throw new AppError('FileUnreadable', 'The reference image cannot be read.', {
      advice: 'Give a PNG or JPEG image of stained tissue.',
      detail: String(cause),
      cause,
    });
  }
  return fitOrRefuse(method, rgb, 'the reference image');
}

function fitOrRefuse(method: StainMethod, rgb: Uint8Array, what: string): StainFit {
  const fit = fitStain(method, rgb);
  if (fit !== null) return fit;
  throw new AppError('NoTissue', `There is too little stained tissue in ${what} to fit its colours.`, {
    advice: 'Extract without stain normalisation, or look at the tissue preview.',
  });
}
