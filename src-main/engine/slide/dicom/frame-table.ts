import type { ByteSource } from '../byte-source.ts';
import { slideDamaged } from '../slide-errors.ts';
import type { DicomInstance } from './instance.ts';

const ITEM = 0xfffee000;
const SEQUENCE_END = 0xfffee0dd;
const MAX_FRAME_BYTES = 1 << 28;

/** Finds the bytes of single frames of one instance. */
export interface FrameTable {
  /** The stored bytes of a frame (fragments joined). Throws SlideDamaged. */
  frame(index: number): Promise<Uint8Array>;
}

/** The frame table of an instance, native or encapsulated; offset tables are read at the first frame. */
export function frameTable(instance: DicomInstance): FrameTable {
  return instance.pixelData.encapsulated ? new EncapsulatedFrames(instance) : new NativeFrames(instance);
}

class NativeFrames implements FrameTable {
  readonly #instance: DicomInstance;

  constructor(instance: DicomInstance) {
    this.#instance = instance;
  }

  async frame(index: number): Promise<Uint8Array> {
    const { tileWidthPx, tileHeightPx, samplesPerPixel, bitsAllocated, frames, pixelData, source } = this.#instance;
    const frameBytes = tileWidthPx * tileHeightPx * samplesPerPixel * (bitsAllocated / 8);
    if (index < 0 || index >= frames || (index + 1) * frameBytes > pixelData.lengthBytes) {
      throw slideDamaged(`frame ${index} is not in the file`);
    }
    return source.read(pixelData.offset + index * frameBytes, frameBytes);
  }
}

/** Byte range of a frame's items, from the first item's tag to the end of the last one. */
interface FrameRange {
  readonly start: number;
  readonly end: number;
}

class EncapsulatedFrames implements FrameTable {
  readonly #instance: DicomInstance;
  #ranges: Promise<readonly FrameRange[]> | null = null;

  constructor(instance: DicomInstance) {
    this.#instance = instance;
  }

  async frame(index: number): Promise<Uint8Array> {
    this.#ranges ??= readRanges(this.#instance);
    const range = (await this.#ranges)[index];
    if (range === undefined) throw slideDamaged(`frame ${index} is not in the file`);
    const { source } = this.#instance;
    if (range.end - range.start > MAX_FRAME_BYTES) throw slideDamaged(`frame of ${range.end - range.start} bytes`);
    return joinItems(await source.read(range.start, Math.min(range.end, source.sizeBytes) - range.start));
  }
}

/** The payload of consecutive items; a frame is nearly always a single one, which is not copied. */
function joinItems(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at + 8 <= bytes.length && tagAt(view, at) === ITEM) {
    const length = view.getUint32(at + 4, true);
    if (at + 8 + length > bytes.length) throw slideDamaged('DICOM fragment cut short');
    parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  if (parts.length === 0) throw slideDamaged('DICOM frame without a fragment');
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
}

/** Frames by the extended offset table (PS3.3, C.7.6.3.1.8), the basic one (PS3.5, A.4), or by walking the fragments. */
async function readRanges(instance: DicomInstance): Promise<readonly FrameRange[]> {
  const { source, pixelData, frames, header } = instance;
  const head = await source.readCached(pixelData.offset, 8);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (tagAt(view, 0) !== ITEM) throw slideDamaged('encapsulated pixel data without an offset table item');
  const basicBytes = view.getUint32(4, true);
  const first = pixelData.offset + 8 + basicBytes;
  const extended = header.elements.x7fe00001;
  if (extended !== undefined && extended.length === frames * 8) {
    const lengths = header.elements.x7fe00002;
    return extendedRanges(header.byteArray, extended.dataOffset, lengths?.dataOffset ?? null, frames, first);
  }
  if (basicBytes === frames * 4) {
    const table = await source.read(pixelData.offset + 8, basicBytes);
    const offsets = new DataView(table.buffer, table.byteOffset, table.byteLength);
    const starts = Array.from({ length: frames }, (_, index) => first + offsets.getUint32(index * 4, true));
    // A basic table wraps at 4 GiB; then only the fragments themselves tell.
    if (starts.every((start, index) => index === 0 || start > (starts[index - 1] ?? 0))) {
      return starts.map((start, index) => ({ start, end: starts[index + 1] ?? source.sizeBytes }));
    }
  }
  return walkFragments(source, first, frames);
}

function extendedRanges(
  bytes: Uint8Array,
  offsetsAt: number,
  lengthsAt: number | null,
  frames: number,
  first: number,
): readonly FrameRange[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: frames }, (_, index) => {
    const start = first + Number(view.getBigUint64(offsetsAt + index * 8, true));
    const end =
      lengthsAt === null
        ? first + Number(view.getBigUint64(offsetsAt + Math.min(index + 1, frames - 1) * 8, true))
        : start + 8 + Number(view.getBigUint64(lengthsAt + index * 8, true));
    return { start, end: end > start ? end : start + MAX_FRAME_BYTES };
  });
}

/** One fragment per frame, or fragments that begin with an image's start marker begin a frame. */
async function walkFragments(source: ByteSource, first: number, frames: number): Promise<readonly FrameRange[]> {
  const fragments: { start: number; end: number; startsImage: boolean }[] = [];
  let at = first;
  while (at + 8 <= source.sizeBytes) {
    const head = await source.readCached(at, Math.min(12, source.sizeBytes - at));
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    if (tagAt(view, 0) === SEQUENCE_END) break;
    if (tagAt(view, 0) !== ITEM) throw slideDamaged(`no DICOM fragment at ${at}`);
    const end = at + 8 + view.getUint32(4, true);
    const mark = head.length >= 10 ? view.getUint16(8) : 0;
    fragments.push({ start: at, end, startsImage: mark === 0xffd8 || mark === 0xff4f });
    if (fragments.length > frames * 64) throw slideDamaged(`more than ${frames * 64} fragments`);
    at = end;
  }
  if (fragments.length === frames) return fragments;
  const ranges: { start: number; end: number }[] = [];
  for (const { start, end, startsImage } of fragments) {
    const last = ranges.at(-1);
    if (startsImage || last === undefined) ranges.push({ start, end });
    else last.end = end;
  }
  return ranges;
}

function tagAt(view: DataView, at: number): number {
  return view.getUint16(at, true) * 0x10000 + view.getUint16(at + 2, true);
}
