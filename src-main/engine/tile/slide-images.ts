import sharp from 'sharp';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import { applyColourLut } from '../../../src-shared/numeric/colour-lut.ts';
import type { EncodedImage, RgbImage, SlideSource } from '../slide/slide-source.ts';
import { BytesLru } from './bytes-lru.ts';

/** Memory for images that had to be encoded here; stored JPEG tiles pass through and are not kept. */
export const ENCODED_BUDGET_BYTES = 128 * 1024 * 1024;

/** The images a client asks for of a slide, each encoded once and kept while the budget allows. */
export class SlideImages {
  readonly cache = new BytesLru<EncodedImage>(ENCODED_BUDGET_BYTES);

  /** A stored tile: the file's own JPEG bytes, else decoded and encoded losslessly as PNG. */
  async tile(id: SlideId, source: SlideSource, level: number, column: number, row: number): Promise<EncodedImage> {
    const stored = await source.encodedTile(level, column, row);
    if (stored !== null) return stored;
    return await this.#once(`${id}/tile/${level}/${column}_${row}`, async () =>
      encodePng(await source.readTile(level, column, row)),
    );
  }

  /** A stored tile with a colour cube applied, as PNG. */
  async correctedTile(
    id: SlideId,
    source: SlideSource,
    at: { readonly level: number; readonly column: number; readonly row: number },
    lut: Uint8Array,
  ): Promise<EncodedImage> {
    return await this.#once(`${id}/corrected/${at.level}/${at.column}_${at.row}`, async () => {
      const { widthPx, heightPx, data } = await source.readTile(at.level, at.column, at.row);
      const corrected = new Uint8Array(data);
      applyColourLut(corrected, 3, lut);
      return await encodePng({ widthPx, heightPx, data: corrected });
    });
  }

  /** The whole slide as JPEG, its longer side at most `maxPx`. */
  async thumbnail(id: SlideId, source: SlideSource, maxPx: number): Promise<EncodedImage> {
    return await this.#once(`${id}/thumbnail/${maxPx}`, async () => encodeJpeg(await readOverview(source, maxPx)));
  }

  /** A square region as JPEG of `outPx` a side; origin and size in level-0 pixels. */
  async region(
    id: SlideId,
    source: SlideSource,
    square: { readonly x0Px: number; readonly y0Px: number; readonly sizeLevel0Px: number; readonly outPx: number },
  ): Promise<EncodedImage> {
    const { x0Px, y0Px, sizeLevel0Px, outPx } = square;
    return await this.#once(`${id}/region/${x0Px},${y0Px},${sizeLevel0Px},${outPx}`, async () =>
      encodeJpeg(
        await source.readRegion({
          x0Px,
          y0Px,
          widthLevel0Px: sizeLevel0Px,
          heightLevel0Px: sizeLevel0Px,
          outWidthPx: outPx,
          outHeightPx: outPx,
        }),
      ),
    );
  }

  forget(id: SlideId): void {
    this.cache.deletePrefix(`${id}/`);
  }

  async #once(key: string, make: () => Promise<EncodedImage>): Promise<EncodedImage> {
    const kept = this.cache.get(key);
    if (kept !== undefined) return kept;
    const made = await make();
    this.cache.set(key, made);
    return made;
  }
}

/** The whole slide as RGB, its longer side at most `maxPx` (never enlarged). */
export async function readOverview(source: SlideSource, maxPx: number): Promise<RgbImage> {
  const { widthPx, heightPx } = source.info;
  const scale = Math.min(1, maxPx / Math.max(widthPx, heightPx));
  return await source.readRegion({
    x0Px: 0,
    y0Px: 0,
    widthLevel0Px: widthPx,
    heightLevel0Px: heightPx,
    outWidthPx: Math.max(1, Math.round(widthPx * scale)),
    outHeightPx: Math.max(1, Math.round(heightPx * scale)),
  });
}

const raw = (image: RgbImage) =>
  sharp(image.data, { raw: { width: image.widthPx, height: image.heightPx, channels: 3 } });

/** Lossless, fast: these bytes cross a loopback at most. */
export async function encodePng(image: RgbImage): Promise<EncodedImage> {
  return { mediaType: 'image/png', bytes: await raw(image).png({ compressionLevel: 2 }).toBuffer() };
}

export async function encodeJpeg(image: RgbImage): Promise<EncodedImage> {
  const bytes = await raw(image).jpeg({ quality: 90, chromaSubsampling: '4:4:4' }).toBuffer();
  return { mediaType: 'image/jpeg', bytes };
}
