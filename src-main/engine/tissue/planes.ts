import { AppError } from '../../../src-shared/errors.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import type { RgbImage, SlideSource } from '../slide/slide-source.ts';
import { classifyInk, INK } from './ink.ts';

/** Mask pixels at most: three bytes each here, about ten in all while components are labelled. */
const MAX_MASK_PX = 25_000_000;
/** Pixels of the source level decoded for one block. */
const MAX_BLOCK_SOURCE_PX = 12_000_000;
const MAX_BLOCK_SIDE_PX = 1024;

/** Steps of an optical density plane per unit; 255 steps reach 2.55, darker than any stain a scanner resolves. */
export const OD_STEPS = 100;

/** What the mask is made from: three bytes a mask pixel, row-major. */
export interface MaskPlanes {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly maskMpp: number;
  /** HSV saturation x 255. */
  readonly saturation: Uint8Array;
  /** Mean optical density of R, G and B x OD_STEPS. */
  readonly density: Uint8Array;
  /** INK code of the pixel's colour. */
  readonly ink: Uint8Array;
}

/** Size of the mask on this slide: at `maskMpp`, no finer than level 0, no larger than memory allows. */
export function maskSize(
  info: Pick<SlideInfo, 'widthPx' | 'heightPx'>,
  mppUm: number,
  maskMpp: number,
): { widthPx: number; heightPx: number; maskMpp: number } {
  const level0Px = info.widthPx * info.heightPx;
  const wanted = maskMpp / mppUm;
  const downsample = Math.max(1, wanted, Math.sqrt(level0Px / MAX_MASK_PX));
  return {
    widthPx: Math.max(1, Math.round(info.widthPx / downsample)),
    heightPx: Math.max(1, Math.round(info.heightPx / downsample)),
    maskMpp: downsample === wanted ? maskMpp : downsample * mppUm,
  };
}

/** Reads the slide block by block at mask resolution; memory does not grow with the slide beyond the planes. */
export async function readPlanes(
  source: SlideSource,
  mppUm: number,
  maskMpp: number,
  signal?: AbortSignal,
): Promise<MaskPlanes> {
  const size = maskSize(source.info, mppUm, maskMpp);
  const count = size.widthPx * size.heightPx;
  const planes: MaskPlanes = {
    ...size,
    saturation: new Uint8Array(count),
    density: new Uint8Array(count),
    ink: new Uint8Array(count),
  };
  const scaleX = source.info.widthPx / size.widthPx;
  const scaleY = source.info.heightPx / size.heightPx;
  const blockSide = blockSidePx(source.info, Math.max(scaleX, scaleY));
  for (let y = 0; y < size.heightPx; y += blockSide) {
    for (let x = 0; x < size.widthPx; x += blockSide) {
      if (signal?.aborted) throw new AppError('Cancelled', 'The tissue mask was cancelled.');
      const outWidthPx = Math.min(blockSide, size.widthPx - x);
      const outHeightPx = Math.min(blockSide, size.heightPx - y);
      const image = await source.readRegion(
        {
          x0Px: x * scaleX,
          y0Px: y * scaleY,
          widthLevel0Px: outWidthPx * scaleX,
          heightLevel0Px: outHeightPx * scaleY,
          outWidthPx,
          outHeightPx,
        },
        signal,
      );
      fillPlanes(planes, image, x, y);
    }
  }
  return planes;
}

/** Side of a block in mask pixels such that the level it is read from decodes few enough pixels at a time. */
function blockSidePx(info: SlideInfo, scale: number): number {
  let downsample = 1;
  for (const level of info.levels) {
    if (level.downsample <= scale * 1.001 && level.downsample > downsample) downsample = level.downsample;
  }
  const side = Math.floor(Math.sqrt(MAX_BLOCK_SOURCE_PX) * (downsample / scale));
  return Math.min(MAX_BLOCK_SIDE_PX, Math.max(16, side));
}

const DENSITY_OF_BYTE = Float32Array.from({ length: 256 }, (_, value) => -Math.log10((value + 1) / 256));

function fillPlanes(planes: MaskPlanes, image: RgbImage, x0: number, y0: number): void {
  const { data, widthPx, heightPx } = image;
  for (let y = 0; y < heightPx; y++) {
    let at = (y0 + y) * planes.widthPx + x0;
    let from = y * widthPx * 3;
    for (let x = 0; x < widthPx; x++, at++, from += 3) {
      const red = data[from] ?? 255;
      const green = data[from + 1] ?? 255;
      const blue = data[from + 2] ?? 255;
      const high = Math.max(red, green, blue);
      const low = Math.min(red, green, blue);
      planes.saturation[at] = high === 0 ? 0 : Math.round((255 * (high - low)) / high);
      const density = ((DENSITY_OF_BYTE[red] ?? 0) + (DENSITY_OF_BYTE[green] ?? 0) + (DENSITY_OF_BYTE[blue] ?? 0)) / 3;
      planes.density[at] = Math.min(255, Math.round(density * OD_STEPS));
      planes.ink[at] = classifyInk(red, green, blue);
    }
  }
}

/** Histograms of saturation and density over the pixels whose colour is no ink and no black. */
export function planeHistograms(planes: MaskPlanes): { saturation: Float64Array; density: Float64Array } {
  const saturation = new Float64Array(256);
  const density = new Float64Array(256);
  for (let at = 0; at < planes.ink.length; at++) {
    if (planes.ink[at] !== INK.none) continue;
    const s = planes.saturation[at] ?? 0;
    const d = planes.density[at] ?? 0;
    saturation[s] = (saturation[s] ?? 0) + 1;
    density[d] = (density[d] ?? 0) + 1;
  }
  return { saturation, density };
}
