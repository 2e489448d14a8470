import { type ByteSource, openByteSource } from './byte-source.ts';
import { looksLikeDicom } from './dicom/instance.ts';
import { openDicomFile, openDicomSeries } from './dicom/open-dicom.ts';
import { notASlide } from './slide-errors.ts';
import type { SlideSource } from './slide-source.ts';
import { openTiff } from './tiff/open-tiff.ts';
import { looksLikeTiff } from './tiff/tiff-file.ts';

/**
 * Opens a slide file with the reader its contents ask for; the file's name plays no part.
 * Throws FileUnreadable, NotASlide, SlideDamaged, SlideFormatUnsupported.
 */
export async function openSlideSource(path: string): Promise<SlideSource> {
  const source = await openByteSource(path);
  try {
    return (await isDicom(source)) ? await openDicomSeries(path, source) : await openFromBytes(path, source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** As `openSlideSource` for one file, over bytes from anywhere; the slide closes the source, a failure does not. */
export async function openFromBytes(path: string, source: ByteSource): Promise<SlideSource> {
  if (looksLikeTiff(await source.readCached(0, Math.min(16, source.sizeBytes)))) return openTiff(path, source);
  if (await isDicom(source)) return openDicomFile(path, source);
  throw notASlide(source.sizeBytes === 0 ? 'empty file' : 'no known header');
}

async function isDicom(source: ByteSource): Promise<boolean> {
  return source.sizeBytes >= 132 && looksLikeDicom(await source.readCached(0, 132));
}
