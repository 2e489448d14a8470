import { CodecError } from '../../codec/codec-error.ts';
import { readJpeg2000Header } from '../../codec/jpeg2000.ts';
import { formatUnsupported, openSlideMissing } from '../slide-errors.ts';
import { ChunkReader } from './chunk-reader.ts';
import { pageLevel } from './level.ts';
import { isJpeg2000, TAG } from './tags.ts';
import type { TiffFile } from './tiff-file.ts';
import { readPage, type TiffPage } from './tiff-page.ts';
import type { TiffSlideLayout } from './tiff-source.ts';

/** Aperio names itself at the start of every ImageDescription. */
export function isAperio(description: string | null): boolean {
  return description?.startsWith('Aperio') === true;
}

/**
 * Aperio SVS: tiled directories are levels in file order; the second directory, if it is in strips, is the thumbnail;
 * other stripped directories carry their name (`label`, `macro`) as the first word of the description's second line.
 * Reference: OpenSlide, openslide-vendor-aperio.c, and Aperio's "Digital Slides and Third-party Data Interchange".
 */
export async function readAperio(file: TiffFile): Promise<TiffSlideLayout> {
  const levels: TiffPage[] = [];
  const associated = new Map<string, TiffPage>();
  for (const [index, ifd] of file.ifds.entries()) {
    const page = await readPage(ifd, file.layout.littleEndian);
    if (page.tiled) {
      levels.push(page);
      continue;
    }
    const name = index === 1 ? 'thumbnail' : associatedName(await ifd.text(TAG.imageDescription, 1 << 20));
    if (name !== null && !associated.has(name)) associated.set(name, page);
  }
  if (levels.length === 0) throw formatUnsupported('strips instead of tiles');
  await refuseSubsampled(file, levels);
  levels.sort((a, b) => b.widthPx - a.widthPx);
  const properties = aperioProperties((await levels[0]?.ifd.text(TAG.imageDescription, 1 << 20)) ?? '');
  const mpp = positive(properties.get('MPP'));
  return {
    vendor: 'aperio',
    levels: levels.map((page) => pageLevel(file.source, page)),
    associated,
    mpp: mpp === null ? null : { xUm: mpp, yUm: mpp },
    objective: positive(properties.get('AppMag')),
    warnings: [],
  };
}

/** The `name = value` pairs that follow the first `|` of an Aperio ImageDescription. */
export function aperioProperties(description: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const part of description.split('|').slice(1)) {
    const equals = part.indexOf('=');
    if (equals > 0) pairs.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  return pairs;
}

/**
 * JPEG 2000 may store colour at half resolution (scheme 33003 does), which the decoder here cannot take: such a slide is
 * left to OpenSlide. One tile tells for all.
 */
async function refuseSubsampled(file: TiffFile, levels: readonly TiffPage[]): Promise<void> {
  const page = levels.find(({ compression }) => isJpeg2000(compression));
  if (page === undefined) return;
  const tile = await new ChunkReader(file.source, page).stored(0);
  let subsampled = false;
  try {
    subsampled = tile !== null && readJpeg2000Header(tile).subsampled;
  } catch (error) {
    // A broken first tile says nothing of the others; it is reported when it is read.
    if (!(error instanceof CodecError)) throw error;
  }
  if (subsampled) throw openSlideMissing('Aperio JPEG 2000 (subsampled colour)');
}

function associatedName(description: string | null): string | null {
  const secondLine = description?.split('\n')[1] ?? '';
  return /^[A-Za-z]+/.exec(secondLine.trim())?.[0] ?? null;
}

function positive(text: string | undefined): number | null {
  const value = Number.parseFloat(text ?? '');
  return Number.isFinite(value) && value > 0 ? value : null;
}
