import dicomParser, { type DataSet } from 'dicom-parser';
import { AppError } from '../../../../src-shared/errors.ts';
import type { ByteSource } from '../byte-source.ts';
import { formatUnsupported, notASlide, slideDamaged } from '../slide-errors.ts';

/** VL Whole Slide Microscopy Image Storage. */
const WSM_IMAGE = '1.2.840.10008.5.1.4.1.1.77.1.6';
const FIRST_READ_BYTES = 256 * 1024;
const MAX_HEADER_BYTES = 256 * 1024 * 1024;
const PIXEL_DATA = 'x7fe00010';
const UNDEFINED_LENGTH = 0xffffffff;
const MAX_SIDE_PX = 1 << 22;
const MAX_TILE_SIDE_PX = 4096;
const MAX_FRAMES = 1 << 24;

/** What one DICOM file says of itself: one level (or a part of one), or an associated image. */
export interface DicomInstance {
  readonly path: string;
  readonly source: ByteSource;
  readonly header: DataSet;
  readonly seriesUid: string;
  /** Third value of ImageType: VOLUME, THUMBNAIL, LABEL, OVERVIEW. */
  readonly flavour: string;
  readonly transferSyntax: string;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly tileWidthPx: number;
  readonly tileHeightPx: number;
  readonly frames: number;
  readonly samplesPerPixel: number;
  readonly planar: boolean;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly photometric: string;
  readonly sparse: boolean;
  readonly focalPlanes: number;
  readonly opticalPaths: number;
  /** Parts of one image that was too long for one file share this; null for a whole one. */
  readonly concatenationUid: string | null;
  readonly frameOffset: number;
  readonly pixelData: { readonly offset: number; readonly lengthBytes: number; readonly encapsulated: boolean };
}

/** True where the bytes carry the DICOM Part 10 mark (PS3.10, 7.1). */
export function looksLikeDicom(head: Uint8Array): boolean {
  return String.fromCharCode(...head.subarray(128, 132)) === 'DICM';
}

/** The series a DICOM file belongs to, from the first few KiB of its header; null for anything else. */
export async function readSeriesUid(source: ByteSource): Promise<string | null> {
  const head = await source.read(0, Math.min(source.sizeBytes, 64 * 1024));
  if (!looksLikeDicom(head)) return null;
  try {
    const header = dicomParser.parseDicom(head, { untilTag: 'x00200010' });
    return header.string('x0020000e') ?? null;
  } catch {
    return null;
  }
}

/**
 * Reads the header of a whole-slide instance; pixel data stays in the file.
 * Throws NotASlide for other DICOM objects, SlideDamaged for headers cut short or contradicting themselves.
 */
export async function readInstance(path: string, source: ByteSource): Promise<DicomInstance> {
  const header = await readHeader(source);
  return honest(() => instanceOf(path, source, header));
}

/**
 * Runs code that asks dicom-parser for values: on damaged headers its getters throw errors of every kind, which become
 * SlideDamaged here.
 */
export function honest<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof AppError ? error : slideDamaged(dicomMessage(error), error);
  }
}

function instanceOf(path: string, source: ByteSource, header: DataSet): DicomInstance {
  const sopClass = header.string('x00080016');
  if (sopClass !== WSM_IMAGE) throw notASlide(`DICOM object of class ${sopClass ?? 'unknown'}`);
  const pixels = header.elements[PIXEL_DATA];
  if (pixels === undefined) throw slideDamaged('DICOM instance without pixel data');
  const tileWidthPx = header.uint16('x00280011') ?? 0;
  const tileHeightPx = header.uint16('x00280010') ?? 0;
  const instance: DicomInstance = {
    path,
    source,
    header,
    seriesUid: header.string('x0020000e') ?? '',
    flavour: header.string('x00080008', 2) ?? 'VOLUME',
    transferSyntax: header.string('x00020010') ?? '1.2.840.10008.1.2',
    widthPx: header.uint32('x00480006') ?? tileWidthPx,
    heightPx: header.uint32('x00480007') ?? tileHeightPx,
    tileWidthPx,
    tileHeightPx,
    frames: header.intString('x00280008') ?? 1,
    samplesPerPixel: header.uint16('x00280002') ?? 1,
    planar: header.uint16('x00280006') === 1,
    bitsAllocated: header.uint16('x00280100') ?? 8,
    bitsStored: header.uint16('x00280101') ?? 8,
    photometric: header.string('x00280004') ?? 'RGB',
    sparse: header.string('x00209311') === 'TILED_SPARSE',
    focalPlanes: Math.max(1, header.uint32('x00480303') ?? 1),
    opticalPaths: Math.max(1, header.uint32('x00480302') ?? 1),
    concatenationUid: header.string('x00209161') ?? null,
    frameOffset: header.uint32('x00209228') ?? 0,
    pixelData: {
      offset: pixels.dataOffset,
      lengthBytes: pixels.length,
      encapsulated: pixels.length === UNDEFINED_LENGTH || pixels.hadUndefinedLength === true,
    },
  };
  checkInstance(instance);
  return instance;
}

/** µm per pixel from the Pixel Measures of the shared (or the first frame's) functional groups; null where absent. */
export function pixelSpacingUm(header: DataSet): { readonly xUm: number; readonly yUm: number } | null {
  const groups = [header.elements.x52009229, header.elements.x52009230];
  for (const group of groups) {
    const measures = group?.items?.[0]?.dataSet?.elements.x00289110?.items?.[0]?.dataSet;
    const yMm = measures?.floatString('x00280030', 0) ?? 0;
    const xMm = measures?.floatString('x00280030', 1) ?? 0;
    if (xMm > 0 && yMm > 0) return { xUm: xMm * 1000, yUm: yMm * 1000 };
  }
  return null;
}

function checkInstance(instance: DicomInstance): void {
  const { widthPx, heightPx, tileWidthPx, tileHeightPx, frames, samplesPerPixel, bitsAllocated } = instance;
  const sized = (value: number, most: number): boolean => Number.isInteger(value) && value >= 1 && value <= most;
  if (!sized(widthPx, MAX_SIDE_PX) || !sized(heightPx, MAX_SIDE_PX))
    throw slideDamaged(`image of ${widthPx} x ${heightPx} px`);
  if (!sized(tileWidthPx, MAX_TILE_SIDE_PX) || !sized(tileHeightPx, MAX_TILE_SIDE_PX)) {
    throw slideDamaged(`tiles of ${tileWidthPx} x ${tileHeightPx} px`);
  }
  if (!sized(frames, MAX_FRAMES)) throw slideDamaged(`${frames} frames`);
  if (samplesPerPixel !== 1 && samplesPerPixel !== 3) throw formatUnsupported(`${samplesPerPixel} samples per pixel`);
  if (bitsAllocated !== 8 && bitsAllocated !== 16) throw formatUnsupported(`${bitsAllocated}-bit samples`);
}

/** Parses up to the pixel data, reading more of the file as long as the header turns out to be longer. */
async function readHeader(source: ByteSource): Promise<DataSet> {
  for (let length = FIRST_READ_BYTES; ; length *= 4) {
    const bytes = await source.read(0, Math.min(length, source.sizeBytes, MAX_HEADER_BYTES));
    renameLongValues(bytes);
    try {
      const header = dicomParser.parseDicom(bytes, { untilTag: PIXEL_DATA });
      if (header.elements[PIXEL_DATA] !== undefined || bytes.length >= Math.min(source.sizeBytes, MAX_HEADER_BYTES))
        return header;
    } catch (error) {
      if (bytes.length >= Math.min(source.sizeBytes, MAX_HEADER_BYTES)) throw slideDamaged(dicomMessage(error), error);
    }
  }
}

/**
 * dicom-parser 1.8 does not know the representation OV, in which the extended offset table (7FE0,0001) and its lengths
 * (7FE0,0002) are stored, and loses its way there. OB has the same layout.
 */
function renameLongValues(bytes: Uint8Array): void {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const element of [1, 2]) {
    const wanted = Buffer.from([0xe0, 0x7f, element, 0, 0x4f, 0x56, 0, 0]);
    const at = header.indexOf(wanted);
    if (at >= 0) header[at + 5] = 0x42;
  }
}

function dicomMessage(error: unknown): string {
  if (error instanceof Error) return error.message;
  // dicom-parser throws plain strings and { exception } objects as well.
  return typeof error === 'string' ? error : 'DICOM header does not parse';
}
