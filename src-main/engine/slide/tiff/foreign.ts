import { TAG } from './tags.ts';
import type { TiffFile } from './tiff-file.ts';

const NDPI_FORMAT_FLAG = 65420;
const XMP = 700;

/**
 * The name of a TIFF dialect that this reader would misread and OpenSlide reads: Hamamatsu NDPI (its private tag),
 * Leica SCN and Ventana BIF (their XML), Trestle (its software tag). Null for all others.
 */
export async function foreignDialect(file: TiffFile): Promise<string | null> {
  const first = file.ifds[0];
  if (first === undefined) return null;
  if (first.has(NDPI_FORMAT_FLAG)) return 'Hamamatsu NDPI';
  const description = (await first.text(TAG.imageDescription, 1 << 28)) ?? '';
  if (description.includes('http://www.leica-microsystems.com/scn/')) return 'Leica SCN';
  if ((await first.text(TAG.software, 1 << 16))?.startsWith('MedScan') === true) return 'Trestle';
  for (const ifd of file.ifds.slice(0, 16)) {
    if (ifd.has(XMP) && (await ifd.text(XMP, 1 << 24))?.includes('iScan') === true) return 'Ventana BIF';
  }
  return null;
}
