import type { FormatList, FormatReader, SlideFormat } from '../../../src-shared/model/slide-format.ts';
import { openSlideLibrary } from './openslide/library.ts';

type Format = Omit<SlideFormat, 'available'>;

const format = (reader: FormatReader, name: string, extensions: string, syntheticOnly = '', note = ''): Format => ({
  ...{ reader, name, syntheticOnly, note },
  extensions: extensions === '' ? [] : extensions.split(' '),
});

/**
 * What Hyaline reads, and with what: the one table behind the list in the app, `hyaline doctor`, the README (a test
 * compares) and the names that folders are searched for.
 */
const FORMATS: readonly Format[] = [
  format('hyaline', 'Aperio SVS (JPEG, JPEG 2000)', '.svs', 'Aperio’s own JPEG 2000 code 33003'),
  format(
    'hyaline',
    'generic tiled TIFF and BigTIFF (JPEG, none, LZW, deflate, zstd, PackBits, WebP)',
    '.tif .tiff .btf .svslide',
  ),
  format(
    'hyaline',
    'OME-TIFF pyramids (RGB, or channels as a composite; middle plane of a stack)',
    '.tif .tiff .btf',
    'RGB and 16-bit pyramids',
  ),
  format('hyaline', 'PerkinElmer/Akoya QPTIFF', '.qptiff .tif'),
  format('hyaline', 'Philips TIFF', '.tif .tiff', 'all of it'),
  format(
    'hyaline',
    'DICOM whole-slide microscopy (series as levels; JPEG, JPEG 2000, JPEG-LS, RLE, raw)',
    '.dcm',
    'sparse, concatenated, RLE, JPEG-LS and extended offset tables',
  ),
  format('sharp', 'PNG, JPEG, flat TIFF', '.png .jpg .jpeg .tif .tiff'),
  format(
    'openslide',
    'NDPI, MRXS, VMS, SCN, BIF and what else it opens',
    '.ndpi .mrxs .vms .vmu .scn .bif',
    '',
    'NDPI is tested, the others are handed to OpenSlide untested',
  ),
];

/** Endings of the names of slide files: such a file is a slide or says why it is none. */
export const SLIDE_EXTENSIONS: ReadonlySet<string> = new Set(FORMATS.flatMap(({ extensions }) => extensions));

const INSTALL: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  linux: 'Install OpenSlide (Debian, Ubuntu: apt-get install libopenslide0) and start Hyaline again.',
  darwin: 'Install OpenSlide (Homebrew: brew install openslide) and start Hyaline again.',
  win32:
    'Put the DLLs of OpenSlide (openslide.org, Windows binaries) into a folder of the PATH and start Hyaline again.',
};

/** The formats, and which of them this installation can read now. */
export function listFormats(): FormatList {
  const library = openSlideLibrary();
  return {
    formats: FORMATS.map((each) => ({ ...each, available: each.reader !== 'openslide' || library !== null })),
    openSlide: library === null ? null : { version: library.version, file: library.file },
    advice: library === null ? (INSTALL[process.platform] ?? 'Install OpenSlide and start Hyaline again.') : '',
  };
}
