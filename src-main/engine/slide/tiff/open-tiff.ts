import type { ByteSource } from '../byte-source.ts';
import { openFlatImage } from '../flat-image.ts';
import { openSlideMissing } from '../slide-errors.ts';
import type { SlideSource } from '../slide-source.ts';
import { isAperio, readAperio } from './aperio.ts';
import { foreignDialect } from './foreign.ts';
import { isTiledTiff, readGeneric } from './generic.ts';
import { isOme, readOme } from './ome.ts';
import { isPhilips, readPhilips } from './philips.ts';
import { isQptiff, readQptiff } from './qptiff.ts';
import { TAG } from './tags.ts';
import { readTiffFile, type TiffFile } from './tiff-file.ts';
import { isCutShort, missingChunks } from './tiff-page.ts';
import { type TiffSlideLayout, TiffSource } from './tiff-source.ts';

/**
 * Opens a slide in a TIFF container with the reader of the vendor that wrote it.
 * Throws NotASlide, SlideDamaged, SlideFormatUnsupported; the byte source stays open for the caller to close then.
 */
export async function openTiff(path: string, source: ByteSource): Promise<SlideSource> {
  const file = await readTiffFile(source);
  const foreign = await foreignDialect(file);
  if (foreign !== null) throw openSlideMissing(foreign);
  const layout = await readLayout(file);
  if (layout === null) return openFlatImage(path, source);
  return new TiffSource(path, file, {
    ...layout,
    warnings: [...layout.warnings, ...(await cutShortWarning(file, layout)), ...(await missingWarning(layout))],
  });
}

async function cutShortWarning(file: TiffFile, layout: TiffSlideLayout): Promise<readonly string[]> {
  for (const { page } of layout.levels) {
    if (await isCutShort(page, file.source.sizeBytes))
      return ['The file is cut short: parts of the slide cannot be read.'];
  }
  return [];
}

async function missingWarning(layout: TiffSlideLayout): Promise<readonly string[]> {
  if (layout.sparse === true) return [];
  const counts = await Promise.all(layout.levels.map(({ page }) => missingChunks(page)));
  const named = counts.flatMap((count, level) => (count === 0 ? [] : [`${count} of level ${level}`]));
  if (named.length === 0) return [];
  return [`Tiles are missing in the file (${named.join(', ')}): they are shown hatched and cannot be analysed.`];
}

/** Null where no vendor's reader applies and the first directory is not tiled: then the file is a flat image. */
async function readLayout(file: TiffFile): Promise<TiffSlideLayout | null> {
  const first = file.ifds[0];
  const description = (await first?.text(TAG.imageDescription, 1 << 28)) ?? null;
  const software = (await first?.text(TAG.software, 1 << 16)) ?? null;
  if (isAperio(description)) return readAperio(file);
  if (description !== null && isOme(description)) return readOme(file, description);
  if (isQptiff(description)) return readQptiff(file);
  if (description !== null && isPhilips(description, software)) return readPhilips(file, description);
  return isTiledTiff(file) ? readGeneric(file) : null;
}
