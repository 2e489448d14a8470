import sharp from 'sharp';
import { AppError } from '../../../src-shared/errors.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import type { ByteSource } from './byte-source.ts';
import { formatUnsupported, slideDamaged } from './slide-errors.ts';
import type { EncodedImage, RegionRequest, RgbImage, SlideSource } from './slide-source.ts';
import { cutTile } from './tiff/level.ts';
import { TiledLevels } from './tiled-levels.ts';

const TILE_PX = 512;
/** Held in memory whole: 144 MB of RGB. */
const MAX_PIXELS = 48_000_000;
const MAX_FILE_BYTES = 1 << 29;

/** True for PNG and JPEG files. */
export function looksLikePlainImage(head: Uint8Array): boolean {
  const png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  return png.every((byte, index) => head[index] === byte) || (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff);
}

/**
 * Opens a plain image (PNG, JPEG, flat TIFF) as a slide of one level, decoded by sharp and held in memory; alpha is
 * laid over white, orientation marks are ignored. It has no pixel size. Throws SlideDamaged, SlideFormatUnsupported.
 */
export async function openFlatImage(path: string, source: ByteSource): Promise<SlideSource> {
  if (source.sizeBytes > MAX_FILE_BYTES) throw tooLarge();
  const { image, format, iccProfile } = await decode(await source.read(0, source.sizeBytes));
  await source.close();
  return new FlatImage(path, image, format, iccProfile);
}

interface Decoded {
  readonly image: RgbImage;
  readonly format: string;
  readonly iccProfile: Uint8Array | null;
}

async function decode(bytes: Uint8Array): Promise<Decoded> {
  try {
    const pipeline = sharp(bytes, { ignoreIcc: true, failOn: 'truncated', limitInputPixels: MAX_PIXELS });
    const { format = 'image', width = 0, height = 0, icc } = await pipeline.metadata();
    if (width * height > MAX_PIXELS) throw tooLarge();
    const { data, info } = await pipeline
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const image = { widthPx: info.width, heightPx: info.height, data: asRgb(data, info.channels) };
    return { image, format, iccProfile: icc ?? null };
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (error instanceof Error && error.message.includes('pixel limit')) throw tooLarge();
    throw slideDamaged('image does not decode', error);
  }
}

function tooLarge(): AppError {
  return formatUnsupported('one flat image of more than 48 megapixels instead of tiles');
}

function asRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data;
  return Uint8Array.from({ length: (data.length / channels) * 3 }, (_, at) => data[Math.floor(at / 3) * channels] ?? 0);
}

class FlatImage implements SlideSource {
  readonly path: string;
  readonly info: SlideInfo;
  readonly #iccProfile: Uint8Array | null;
  readonly #tiled: TiledLevels;

  constructor(path: string, image: RgbImage, format: string, iccProfile: Uint8Array | null) {
    this.path = path;
    this.#iccProfile = iccProfile;
    const { widthPx, heightPx } = image;
    const level = {
      widthPx,
      heightPx,
      downsample: 1,
      tileWidthPx: TILE_PX,
      tileHeightPx: TILE_PX,
      columns: Math.ceil(widthPx / TILE_PX),
      rows: Math.ceil(heightPx / TILE_PX),
    };
    this.info = {
      widthPx,
      heightPx,
      levels: [level],
      mpp: null,
      objective: null,
      vendor: 'plain-image',
      reader: 'sharp',
      compression: format,
      associated: [],
      hasIccProfile: iccProfile !== null,
      warnings: ['A plain image, not a slide: it has no pyramid and does not say its pixel size.'],
    };
    this.#tiled = new TiledLevels([level], async (_level, column, row) => cutTile(image, column, row, TILE_PX));
  }

  async encodedTile(level: number, column: number, row: number): Promise<EncodedImage | null> {
    this.#tiled.checkTile(level, column, row);
    return null;
  }

  readTile(level: number, column: number, row: number): Promise<RgbImage> {
    return this.#tiled.tile(level, column, row);
  }

  readLevelRegion(level: number, xPx: number, yPx: number, widthPx: number, heightPx: number): Promise<RgbImage> {
    return this.#tiled.readLevelRegion(level, xPx, yPx, widthPx, heightPx);
  }

  readRegion(request: RegionRequest, signal?: AbortSignal): Promise<RgbImage> {
    return this.#tiled.readRegion(request, signal);
  }

  async associated(name: string): Promise<EncodedImage> {
    throw new AppError('NotFound', `This image has no image named "${name}".`);
  }

  async iccProfile(): Promise<Uint8Array | null> {
    return this.#iccProfile;
  }

  async close(): Promise<void> {
    this.#tiled.clear();
  }
}
