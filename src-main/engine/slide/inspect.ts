import { stat } from 'node:fs/promises';
import { AppError } from '../../../src-shared/errors.ts';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import { encodePng } from '../codec/png.ts';
import { fingerprintSlide } from './fingerprint.ts';
import { openSlideSource } from './open-slide.ts';
import { openSlideLibrary } from './openslide/library.ts';
import type { RgbImage, SlideSource } from './slide-source.ts';

/** Everything a reader can say of a slide file, JSON-safe. */
export interface SlideDescription {
  readonly fingerprint: SlideId;
  readonly sizeBytes: number;
  readonly info: SlideInfo;
  /** What an installed OpenSlide says of the same file, for comparison; null where there is none or it does not open. */
  readonly openSlide: {
    readonly version: string;
    readonly vendor: string;
    readonly levels: readonly { readonly widthPx: number; readonly heightPx: number; readonly downsample: number }[];
  } | null;
}

/** Describes a slide file: levels, pixel size, vendor, reader, associated images, fingerprint. Throws as openSlideSource. */
export async function describeSlide(path: string): Promise<SlideDescription> {
  const slide = await openSlideSource(path);
  try {
    const { size } = await stat(path);
    return {
      fingerprint: await fingerprintSlide(path),
      sizeBytes: size,
      info: slide.info,
      openSlide: await openSlideView(path),
    };
  } finally {
    await slide.close();
  }
}

/** Which region of a slide, at which scale: a stored level, or a pixel size in µm, or level 0. */
export interface RegionSpec {
  /** Top left corner in level-0 pixels. */
  readonly x0Px: number;
  readonly y0Px: number;
  /** Size of the result in pixels. */
  readonly widthPx: number;
  readonly heightPx: number;
  readonly level?: number;
  readonly mppUm?: number;
}

/**
 * Reads one region: with `level` its native pixels (the origin rounded to the level's grid), with `mppUm` resampled.
 * Throws MppUnknown where `mppUm` is asked of a slide without a pixel size, else as SlideSource.
 */
export async function readSlideRegion(slide: SlideSource, spec: RegionSpec): Promise<RgbImage> {
  const { x0Px, y0Px, widthPx, heightPx, level = 0, mppUm } = spec;
  if (mppUm === undefined) {
    const downsample = slide.info.levels[level]?.downsample ?? 1;
    return slide.readLevelRegion(
      level,
      Math.round(x0Px / downsample),
      Math.round(y0Px / downsample),
      widthPx,
      heightPx,
    );
  }
  if (!(mppUm > 0)) throw new AppError('InvalidRequest', 'The pixel size must be a positive number of micrometres.');
  if (slide.info.mpp === null) {
    throw new AppError('MppUnknown', 'The slide does not say its pixel size.', {
      advice: 'Ask for a level instead of a pixel size.',
    });
  }
  const { xUm, yUm } = slide.info.mpp;
  return slide.readRegion({
    x0Px,
    y0Px,
    widthLevel0Px: (widthPx * mppUm) / xUm,
    heightLevel0Px: (heightPx * mppUm) / yUm,
    outWidthPx: widthPx,
    outHeightPx: heightPx,
  });
}

/** `readSlideRegion` of a file, as PNG; `missing` where a part of it has no pixels in the file and is hatched. */
export async function regionPng(path: string, spec: RegionSpec): Promise<{ png: Uint8Array; missing: boolean }> {
  const slide = await openSlideSource(path);
  try {
    const image = await readSlideRegion(slide, spec);
    return { png: await encodePng(image), missing: image.missing === true };
  } finally {
    await slide.close();
  }
}

async function openSlideView(path: string): Promise<SlideDescription['openSlide']> {
  const library = openSlideLibrary();
  const vendor = (await library?.detectVendor(path)) ?? null;
  if (library === null || vendor === null) return null;
  const handle = await library.open(path);
  if (handle === null) return null;
  try {
    if (library.error(handle) !== null) return null;
    const levels = Array.from({ length: library.levelCount(handle) }, (_, level) => ({
      ...library.levelSize(handle, level),
      downsample: library.levelDownsample(handle, level),
    }));
    return { version: library.version, vendor, levels };
  } finally {
    await library.close(handle);
  }
}
