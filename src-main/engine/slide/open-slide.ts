import { extname } from 'node:path';
import { hasCode } from '../../../src-shared/errors.ts';
import { type ByteSource, openByteSource } from './byte-source.ts';
import { looksLikeDicom } from './dicom/instance.ts';
import { openDicomFile, openDicomSeries } from './dicom/open-dicom.ts';
import { looksLikePlainImage, openFlatImage } from './flat-image.ts';
import { openSlideLibrary } from './openslide/library.ts';
import { openThroughOpenSlide } from './openslide/openslide-source.ts';
import { isOpenSlideMissing, notASlide, openSlideMissing } from './slide-errors.ts';
import type { SlideSource } from './slide-source.ts';
import { openTiff } from './tiff/open-tiff.ts';
import { looksLikeTiff } from './tiff/tiff-file.ts';

/** Formats whose index file looks like something else: MIRAX's is a JPEG, Hamamatsu's VMS a text. */
const OPENSLIDE_NAMES: ReadonlyMap<string, string> = new Map([
  ['.mrxs', 'MIRAX'],
  ['.vms', 'Hamamatsu VMS'],
  ['.vmu', 'Hamamatsu VMU'],
]);

/**
 * Opens a slide file with the reader its contents ask for: one of Hyaline's own, or OpenSlide (where it is installed)
 * for the formats that no own reader opens. Throws FileUnreadable, NotASlide, SlideDamaged, SlideFormatUnsupported.
 */
export async function openSlideSource(path: string): Promise<SlideSource> {
  const indexFormat = OPENSLIDE_NAMES.get(extname(path).toLowerCase());
  const source = await openByteSource(path);
  try {
    if (indexFormat !== undefined) throw openSlideMissing(indexFormat);
    return (await isDicom(source)) ? await openDicomSeries(path, source) : await openFromBytes(path, source);
  } catch (error) {
    await source.close();
    const library = hasCode(error, 'NotASlide', 'SlideFormatUnsupported') ? openSlideLibrary() : null;
    if (library === null) throw error;
    try {
      return await openThroughOpenSlide(path, library);
    } catch (second) {
      // Where OpenSlide is not the reader for this format anyway, the first reader's reason is the better one.
      throw isOpenSlideMissing(error) ? second : error;
    }
  }
}

/** As `openSlideSource` for one file, over bytes from anywhere; the slide closes the source, a failure does not. */
export async function openFromBytes(path: string, source: ByteSource): Promise<SlideSource> {
  if (looksLikeTiff(await source.readCached(0, Math.min(16, source.sizeBytes)))) return openTiff(path, source);
  if (await isDicom(source)) return openDicomFile(path, source);
  if (looksLikePlainImage(await source.readCached(0, Math.min(16, source.sizeBytes))))
    return openFlatImage(path, source);
  throw notASlide(source.sizeBytes === 0 ? 'empty file' : 'no known header');
}

async function isDicom(source: ByteSource): Promise<boolean> {
  return source.sizeBytes >= 132 && looksLikeDicom(await source.readCached(0, 132));
}
