import { type ByteSource, openByteSource } from './byte-source.ts';
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
    return await openFromBytes(path, source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** As `openSlideSource` over bytes from anywhere; the slide closes the source, a failure does not. */
export async function openFromBytes(path: string, source: ByteSource): Promise<SlideSource> {
  const head = await source.readCached(0, Math.min(16, source.sizeBytes));
  if (looksLikeTiff(head)) return openTiff(path, source);
  throw notASlide(source.sizeBytes === 0 ? 'empty file' : 'no known header');
}
