import type { ByteSource } from '../byte-source.ts';
import { notASlide, slideDamaged } from '../slide-errors.ts';
import { Ifd, type IfdEntry, type TiffLayout, typeBytes } from './ifd.ts';
import { TAG } from './tags.ts';

/** Far above any real slide (an OME-TIFF holds a directory per plane), far below what a hostile file could ask for. */
const MAX_IFDS = 20_000;
const MAX_ENTRIES = 4096;
const MAX_SUB_IFDS = 64;

export interface TiffFile {
  readonly source: ByteSource;
  readonly layout: TiffLayout;
  /** The main chain of directories, in file order. */
  readonly ifds: readonly Ifd[];
}

/** True where the first bytes are those of a classic or a BigTIFF of either byte order. */
export function looksLikeTiff(head: Uint8Array): boolean {
  return head.length >= 8 && headerLayout(head) !== null;
}

/**
 * Reads header and directory chain of a TIFF 6.0 or BigTIFF file. Tag values stay in the file until they are asked for.
 * Throws NotASlide where the header is none, SlideDamaged where the chain leaves the file, loops or never ends.
 */
export async function readTiffFile(source: ByteSource): Promise<TiffFile> {
  if (source.sizeBytes < 8) throw notASlide('shorter than a TIFF header');
  const head = await source.readCached(0, Math.min(16, source.sizeBytes));
  const layout = headerLayout(head);
  if (layout === null) throw notASlide('no TIFF header');
  if (layout.big && head.length < 16) throw slideDamaged('BigTIFF header cut short');
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (layout.big && (view.getUint16(4, layout.littleEndian) !== 8 || view.getUint16(6, layout.littleEndian) !== 0)) {
    throw slideDamaged('BigTIFF header with an offset size other than 8');
  }
  let offset = layout.big ? Number(view.getBigUint64(8, layout.littleEndian)) : view.getUint32(4, layout.littleEndian);
  const seen = new Set<number>();
  const ifds: Ifd[] = [];
  while (offset !== 0) {
    if (seen.has(offset)) throw slideDamaged(`directory chain loops back to ${offset}`);
    if (seen.size >= MAX_IFDS) throw slideDamaged(`more than ${MAX_IFDS} directories`);
    seen.add(offset);
    const { ifd, nextOffset } = await readIfd(source, layout, offset);
    ifds.push(ifd);
    offset = nextOffset;
  }
  if (ifds.length === 0) throw slideDamaged('no directory');
  return { source, layout, ifds };
}

/** The SubIFDs of a directory (OME-TIFF keeps its coarser levels there); empty where there are none. */
export async function readSubIfds(file: TiffFile, parent: Ifd): Promise<readonly Ifd[]> {
  const offsets = await parent.numbers(TAG.subIfds, MAX_SUB_IFDS);
  if (offsets === null) return [];
  const seen = new Set<number>(file.ifds.map((ifd) => ifd.offset));
  const found: Ifd[] = [];
  for (const offset of offsets) {
    if (seen.has(offset)) throw slideDamaged(`SubIFD loops back to ${offset}`);
    seen.add(offset);
    found.push((await readIfd(file.source, file.layout, offset)).ifd);
  }
  return found;
}

function headerLayout(head: Uint8Array): TiffLayout | null {
  const mark = String.fromCharCode(head[0] ?? 0, head[1] ?? 0);
  if (mark !== 'II' && mark !== 'MM') return null;
  const littleEndian = mark === 'II';
  const magic = littleEndian ? (head[2] ?? 0) | ((head[3] ?? 0) << 8) : ((head[2] ?? 0) << 8) | (head[3] ?? 0);
  if (magic === 42) return { littleEndian, big: false };
  return magic === 43 ? { littleEndian, big: true } : null;
}

async function readIfd(
  source: ByteSource,
  layout: TiffLayout,
  offset: number,
): Promise<{ ifd: Ifd; nextOffset: number }> {
  const { littleEndian, big } = layout;
  const countBytes = big ? 8 : 2;
  const entryBytes = big ? 20 : 12;
  const pointerBytes = big ? 8 : 4;
  const head = await source.readCached(offset, countBytes);
  const headView = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const count = big ? Number(headView.getBigUint64(0, littleEndian)) : headView.getUint16(0, littleEndian);
  if (count === 0 || count > MAX_ENTRIES) throw slideDamaged(`directory at ${offset} with ${count} entries`);
  const body = await source.readCached(offset + countBytes, count * entryBytes + pointerBytes);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const pointerAt = (at: number): number =>
    big ? Number(view.getBigUint64(at, littleEndian)) : view.getUint32(at, littleEndian);

  const entries = new Map<number, IfdEntry>();
  for (let index = 0; index < count; index++) {
    const at = index * entryBytes;
    const tag = view.getUint16(at, littleEndian);
    const type = view.getUint16(at + 2, littleEndian);
    const valueCount = pointerAt(at + 4);
    const size = typeBytes(type);
    // Unknown types are skipped, as TIFF 6.0 (section 2) asks of readers.
    if (size === 0 || entries.has(tag)) continue;
    const valueAt = at + 4 + pointerBytes;
    const lengthBytes = size * valueCount;
    const inline = lengthBytes <= pointerBytes;
    entries.set(tag, {
      type,
      count: valueCount,
      lengthBytes,
      valueOffset: inline ? offset + countBytes + valueAt : pointerAt(valueAt),
      entryOffset: offset + countBytes + at,
      inline: inline ? body.slice(valueAt, valueAt + lengthBytes) : null,
    });
  }
  return { ifd: new Ifd(source, layout, offset, entries), nextOffset: pointerAt(count * entryBytes) };
}
