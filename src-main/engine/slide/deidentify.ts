import { rename, rm, stat } from 'node:fs/promises';
import { AppError } from '../../../src-shared/errors.ts';
import { openByteSource } from './byte-source.ts';
import { aperioProperties, isAperio } from './tiff/aperio.ts';
import { foreignDialect } from './tiff/foreign.ts';
import { isTiledTiff } from './tiff/generic.ts';
import { type PageCopy, writeTiffCopy } from './tiff/rewrite.ts';
import { TAG } from './tiff/tags.ts';
import { looksLikeTiff, readTiffFile, type TiffFile } from './tiff/tiff-file.ts';
import { readPage, type TiffPage } from './tiff/tiff-page.ts';
import { verifyDeidentified } from './verify-deidentified.ts';

/**
 * The only tags a copy keeps: those that describe pixels. Everything else (dates, names, hosts, software, make and
 * model, document and page names, XMP, IPTC, EXIF, private tags) is left behind.
 */
export const KEPT_TAGS: ReadonlySet<number> = new Set([
  TAG.newSubfileType,
  TAG.imageWidth,
  TAG.imageLength,
  TAG.bitsPerSample,
  TAG.compression,
  TAG.photometric,
  TAG.orientation,
  TAG.samplesPerPixel,
  TAG.rowsPerStrip,
  TAG.xResolution,
  TAG.yResolution,
  TAG.planarConfiguration,
  TAG.resolutionUnit,
  TAG.predictor,
  TAG.tileWidth,
  TAG.tileLength,
  TAG.extraSamples,
  TAG.sampleFormat,
  TAG.jpegTables,
  TAG.imageDepth,
  TAG.iccProfile,
  // YCbCrCoefficients, YCbCrSubSampling, YCbCrPositioning, ReferenceBlackWhite
  529,
  530,
  531,
  532,
]);

/** The only `name = value` fields of an Aperio description that a copy keeps. */
export const KEPT_APERIO_FIELDS: ReadonlySet<string> = new Set([
  'AppMag',
  'MPP',
  'OriginalWidth',
  'OriginalHeight',
  'ICC Profile',
]);

const REDUCED_IMAGE = 1;
const TILE_COMMENTS = 'comments inside tiles';

/** What left the file. */
export interface Deidentified {
  /** Names of the images that were left out: `label`, `macro`, … */
  readonly removedImages: readonly string[];
  /** Names of the header fields that were left out, never their values. */
  readonly removedFields: readonly string[];
  readonly sizeBytes: number;
}

/**
 * Writes a copy of an SVS or generic tiled TIFF without label, macro and identifying header fields, and verifies it:
 * every byte of the copy is a kept tile or a kept header value, and none of the removed texts occurs in it. Coded
 * pixels are copied byte for byte, without comments and application segments between them. The original is only read; a
 * copy that fails verification is removed.
 * Throws NotAllowed where the copy would replace a file, SlideFormatUnsupported for other formats, DiskFull.
 */
export async function deidentify(inPath: string, outPath: string): Promise<Deidentified> {
  const source = await openByteSource(inPath);
  const partial = `${outPath}.partial`;
  try {
    if (await exists(outPath)) {
      throw new AppError('NotAllowed', 'There is a file of that name already; nothing was written.', {
        advice: 'Choose another name for the copy.',
      });
    }
    const head = await source.readCached(0, Math.min(16, source.sizeBytes));
    if (!looksLikeTiff(head))
      throw cannotDeidentify('This file', 'it is no TIFF, and only SVS and tiled TIFF are rewritten');
    const file = await readTiffFile(source);
    const plan = await planCopy(file);
    await rm(partial, { force: true });
    const { ranges, comments } = await writeTiffCopy(partial, source, file.layout, plan.pages);
    const removedTexts = new Set([...plan.removedTexts, ...comments]);
    await verifyDeidentified(partial, source, { ranges, pages: plan.pages, removedTexts });
    await rename(partial, outPath);
    const { size } = await stat(outPath);
    const fields = comments.size > 0 ? [...plan.removedFields, TILE_COMMENTS] : [...plan.removedFields];
    return { removedImages: plan.removedImages, removedFields: fields.sort(), sizeBytes: size };
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    await source.close();
  }
}

interface CopyPlan {
  readonly pages: readonly PageCopy[];
  readonly removedImages: readonly string[];
  readonly removedFields: ReadonlySet<string>;
  readonly removedTexts: ReadonlySet<string>;
}

async function planCopy(file: TiffFile): Promise<CopyPlan> {
  const description = (await file.ifds[0]?.text(TAG.imageDescription, 1 << 28)) ?? null;
  const aperio = isAperio(description);
  await refuseOthers(file, aperio ? null : description);
  const pages: PageCopy[] = [];
  const removedImages: string[] = [];
  const removedFields = new Set<string>();
  const removedTexts = new Set<string>();
  for (const [index, ifd] of file.ifds.entries()) {
    const page = await readPage(ifd, file.layout.littleEndian);
    const text = (await ifd.text(TAG.imageDescription, 1 << 28)) ?? '';
    await collectRemovedTags(file, index, removedFields, removedTexts);
    if (!(await isKept(page, index, text, aperio))) {
      removedImages.push(imageName(text) ?? `image ${index}`);
      continue;
    }
    const kept = keptDescription(text, aperio);
    for (const [name, value] of removedPairs(text, kept, aperio)) {
      removedFields.add(name);
      if (!kept.includes(value)) removedTexts.add(value);
    }
    pages.push({ page, keepTags: KEPT_TAGS, description: kept === '' ? null : kept });
  }
  return { pages, removedImages, removedFields, removedTexts };
}

/** Formats whose levels cannot be told from their identifying headers by dropping fields. */
async function refuseOthers(file: TiffFile, description: string | null): Promise<void> {
  const foreign = await foreignDialect(file);
  if (foreign !== null) throw cannotDeidentify(`A ${foreign} slide`, 'Hyaline does not write that format');
  const [format, why] = REFUSED.find(([, , pattern]) => description !== null && pattern.test(description)) ?? [];
  if (format !== undefined && why !== undefined) throw cannotDeidentify(format, why);
  if (!isTiledTiff(file)) throw cannotDeidentify('This image', 'it is not tiled, and so no slide');
}

const REFUSED: readonly (readonly [format: string, why: string, pattern: RegExp])[] = [
  ['An OME-TIFF', 'its levels depend on an XML header in which any field may name the patient', /<OME/],
  ['A QPTIFF', 'each of its pages depends on an XML header that holds names, dates and the slide ID', /<PerkinElmer/],
  ['A Philips TIFF', 'its label, macro image and levels all stand in one XML header', /DPUfsImport/],
];

function cannotDeidentify(what: string, why: string): AppError {
  return new AppError('SlideFormatUnsupported', `${what} cannot be de-identified here: ${why}.`, {
    advice: 'Export it as an SVS or a pyramidal TIFF with the software of its scanner, and de-identify that.',
    detail: why,
  });
}

/**
 * Levels, and of an Aperio slide its second directory, a thumbnail of the tissue. Every other image may show the label:
 * what is in strips, what names itself label or macro, and what is tiled but no reduced copy of the first directory.
 */
async function isKept(page: TiffPage, index: number, text: string, aperio: boolean): Promise<boolean> {
  if (aperio) return !/^(label|macro)\b/i.test(imageName(text) ?? '') && (page.tiled || index === 1);
  const reduced = (((await page.ifd.number(TAG.newSubfileType)) ?? 0) & REDUCED_IMAGE) !== 0;
  return page.tiled && (index === 0 || reduced);
}

/** Aperio names an image in the second line of its description. */
function imageName(text: string): string | null {
  return /^[A-Za-z]+/.exec((text.split('\n')[1] ?? '').trim())?.[0] ?? null;
}

/** Names and texts of the tags that are not copied, for the report and the verification. */
async function collectRemovedTags(
  file: TiffFile,
  index: number,
  fields: Set<string>,
  texts: Set<string>,
): Promise<void> {
  const ifd = file.ifds[index];
  for (const [tag, entry] of ifd?.entries ?? []) {
    const table = [TAG.tileOffsets, TAG.tileByteCounts, TAG.stripOffsets, TAG.stripByteCounts, TAG.imageDescription];
    if (KEPT_TAGS.has(tag) || table.some((known) => known === tag)) continue;
    fields.add(`TIFF tag ${tag}`);
    if (entry.type === 2) texts.add((await ifd?.text(tag, 1 << 24)) ?? '');
  }
}

/**
 * What stays of a description. Aperio: the library and geometry lines, and the allowed fields. Hyaline's own slides:
 * all of it (it is made of numbers). Others: nothing.
 */
export function keptDescription(text: string, aperio: boolean): string {
  if (text.startsWith('Hyaline synthetic')) return text;
  if (!aperio) return '';
  const head = (text.split('|')[0] ?? '')
    .split(/\r?\n|;/)
    .map((line) => line.trim())
    .filter(
      (line) =>
        /^Aperio (Image Library|Leica Biosystems|Format)[\w .]*$/.test(line) ||
        /^\d+x\d+[\d\sx[\],()>/A-Za-z0-9=-]*$/.test(line),
    )
    .join('\r\n');
  const fields = [...aperioProperties(text)].filter(([name]) => KEPT_APERIO_FIELDS.has(name));
  return [head, ...fields.map(([name, value]) => `${name} = ${value}`)].join('|');
}

function removedPairs(text: string, kept: string, aperio: boolean): readonly (readonly [string, string])[] {
  if (kept === text || text === '') return [];
  if (!aperio) return [['ImageDescription', text]];
  return [...aperioProperties(text)].filter(([name]) => !KEPT_APERIO_FIELDS.has(name));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
