import type { ByteSource } from '../byte-source.ts';
import type { SlideSource } from '../slide-source.ts';
import { isAperio, readAperio } from './aperio.ts';
import { readGeneric } from './generic.ts';
import { TAG } from './tags.ts';
import { readTiffFile, type TiffFile } from './tiff-file.ts';
import { isCutShort } from './tiff-page.ts';
import { type TiffSlideLayout, TiffSource } from './tiff-source.ts';

/**
 * Opens a slide in a TIFF container with the reader of the vendor that wrote it.
 * Throws NotASlide, SlideDamaged, SlideFormatUnsupported; the byte source stays open for the caller to close then.
 */
export async function openTiff(path: string, source: ByteSource): Promise<SlideSource> {
  const file = await readTiffFile(source);
  const layout = await readLayout(file);
  return new TiffSource(path, file, {
    ...layout,
    warnings: [...layout.warnings, ...(await cutShortWarning(file, layout))],
  });
}

async function cutShortWarning(file: TiffFile, layout: TiffSlideLayout): Promise<readonly string[]> {
  for (const page of layout.levels) {
    if (await isCutShort(page, file.source.sizeBytes))
      return ['The file is cut short: parts of the slide cannot be read.'];
  }
  return [];
}

async function readLayout(file: TiffFile): Promise<TiffSlideLayout> {
  const description = (await file.ifds[0]?.text(TAG.imageDescription)) ?? null;
  if (isAperio(description)) return readAperio(file);
  return readGeneric(file);
}
