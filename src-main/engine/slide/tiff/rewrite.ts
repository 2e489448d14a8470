import { type FileHandle, open } from 'node:fs/promises';
import { AppError } from '../../../../src-shared/errors.ts';
import type { ByteSource } from '../byte-source.ts';
import { scrubChunk } from '../scrub-chunk.ts';
import { slideDamaged } from '../slide-errors.ts';
import { type Ifd, type TiffLayout, typeBytes } from './ifd.ts';
import { TAG } from './tags.ts';
import { readChunkTable, type TiffPage } from './tiff-page.ts';

const TYPE_LONG = 4;
const TYPE_LONG8 = 16;
const TYPE_ASCII = 2;
/** Enough to name and search for: that none is left follows from the tiles themselves. */
const MAX_COMMENTS = 500;
const CLASSIC_LIMIT = 2 ** 32 - 1;

/** One directory of the file to be written. */
export interface PageCopy {
  readonly page: TiffPage;
  /** Tags copied as they are; tile tables are always written anew. */
  readonly keepTags: ReadonlySet<number>;
  /** The ImageDescription to write; null for none. */
  readonly description: string | null;
}

/** A written stretch of the new file. */
export interface WrittenRange {
  readonly start: number;
  readonly end: number;
}

/** What became of a copy. */
export interface TiffCopy {
  readonly ranges: readonly WrittenRange[];
  /** Comments that stood in tiles and were left out. */
  readonly comments: ReadonlySet<string>;
}

/**
 * Writes a TIFF that holds the given directories and nothing else, in the layout of the original: coded pixels are
 * copied byte for byte, tile by tile, in constant memory, without comments between them (`scrubChunk`). Returns what
 * was written where, so that the caller can prove that there are no other bytes. Throws NotAllowed, DiskFull, FileUnreadable, SlideDamaged.
 */
export async function writeTiffCopy(
  outPath: string,
  source: ByteSource,
  layout: TiffLayout,
  pages: readonly PageCopy[],
): Promise<TiffCopy> {
  const handle = await open(outPath, 'wx').catch((error: unknown) => {
    throw new AppError('NotAllowed', 'The copy could not be written there.', {
      advice: 'Choose a folder that exists and that you may write to.',
      cause: error,
    });
  });
  try {
    const writer = new CopyWriter(handle, source, layout);
    await writer.write(pages);
    await handle.sync();
    return { ranges: writer.ranges, comments: writer.comments };
  } catch (error) {
    throw error instanceof Error && 'code' in error && error.code === 'ENOSPC'
      ? new AppError('DiskFull', 'The disk is full; the copy was not written.', { cause: error })
      : error;
  } finally {
    await handle.close();
  }
}

class CopyWriter {
  readonly ranges: WrittenRange[] = [];
  readonly comments = new Set<string>();
  readonly #handle: FileHandle;
  readonly #source: ByteSource;
  readonly #layout: TiffLayout;
  #at = 0;

  constructor(handle: FileHandle, source: ByteSource, layout: TiffLayout) {
    this.#handle = handle;
    this.#source = source;
    this.#layout = layout;
  }

  async write(pages: readonly PageCopy[]): Promise<void> {
    const { big } = this.#layout;
    const header = new Uint8Array(big ? 16 : 8);
    header.fill(this.#layout.littleEndian ? 0x49 : 0x4d, 0, 2);
    const view = new DataView(header.buffer);
    view.setUint16(2, big ? 43 : 42, this.#layout.littleEndian);
    if (big) view.setUint16(4, 8, this.#layout.littleEndian);
    await this.#append(header);
    let pointerAt = big ? 8 : 4;
    for (const page of pages) {
      const { offset, nextPointerAt } = await this.#page(page);
      await this.#patchPointer(pointerAt, offset);
      pointerAt = nextPointerAt;
    }
  }

  async #page(copy: PageCopy): Promise<{ offset: number; nextPointerAt: number }> {
    const { offsets, byteCounts } = await this.#chunks(copy.page);
    const { big } = this.#layout;
    const pointerType = big ? TYPE_LONG8 : TYPE_LONG;
    const [offsetTag, countTag] = copy.page.tiled
      ? [TAG.tileOffsets, TAG.tileByteCounts]
      : [TAG.stripOffsets, TAG.stripByteCounts];
    const values = new Map<number, { type: number; bytes: Uint8Array }>();
    for (const tag of copy.keepTags) {
      const value = await rawValue(copy.page.ifd, tag);
      if (value === null) continue;
      const isTables = tag === TAG.jpegTables;
      values.set(tag, isTables ? { ...value, bytes: this.#scrub(copy.page, value.bytes) } : value);
    }
    values.set(offsetTag, { type: pointerType, bytes: this.#numbers(offsets) });
    values.set(countTag, { type: pointerType, bytes: this.#numbers(byteCounts) });
    if (copy.description !== null) {
      values.set(TAG.imageDescription, { type: TYPE_ASCII, bytes: new TextEncoder().encode(`${copy.description}\0`) });
    }
    return this.#directory([...values].sort(([a], [b]) => a - b));
  }

  async #directory(
    values: readonly (readonly [number, { type: number; bytes: Uint8Array }])[],
  ): Promise<{ offset: number; nextPointerAt: number }> {
    const { big, littleEndian } = this.#layout;
    const inlineBytes = big ? 8 : 4;
    const countBytes = big ? 8 : 2;
    const entryBytes = big ? 20 : 12;
    const directory = new Uint8Array(countBytes + values.length * entryBytes + inlineBytes);
    const view = new DataView(directory.buffer);
    if (big) view.setBigUint64(0, BigInt(values.length), littleEndian);
    else view.setUint16(0, values.length, littleEndian);
    for (const [index, [tag, { type, bytes }]] of values.entries()) {
      const base = countBytes + index * entryBytes;
      view.setUint16(base, tag, littleEndian);
      view.setUint16(base + 2, type, littleEndian);
      this.#setPointer(view, base + 4, bytes.length / typeBytes(type));
      if (bytes.length <= inlineBytes) directory.set(bytes, base + 4 + inlineBytes);
      else this.#setPointer(view, base + 4 + inlineBytes, await this.#append(bytes));
    }
    const offset = await this.#append(directory);
    return { offset, nextPointerAt: offset + countBytes + values.length * entryBytes };
  }

  async #chunks(page: TiffPage): Promise<{ offsets: number[]; byteCounts: number[] }> {
    const table = await readChunkTable(page);
    const offsets: number[] = [];
    const byteCounts: number[] = [];
    for (let index = 0; index < page.columns * page.rows; index++) {
      const length = table.byteCounts.at(index);
      const from = table.offsets.at(index);
      const empty = length === 0 || from === 0;
      const chunk = empty ? new Uint8Array(0) : this.#scrub(page, await this.#source.read(from, length));
      offsets.push(empty ? 0 : await this.#append(chunk));
      byteCounts.push(chunk.length);
    }
    return { offsets, byteCounts };
  }

  #scrub(page: TiffPage, chunk: Uint8Array): Uint8Array {
    const { bytes, comments } = scrubChunk(page, chunk);
    for (const comment of comments) if (this.comments.size < MAX_COMMENTS) this.comments.add(comment);
    return bytes;
  }

  #numbers(numbers: readonly number[]): Uint8Array {
    const size = this.#layout.big ? 8 : 4;
    const bytes = new Uint8Array(numbers.length * size);
    const view = new DataView(bytes.buffer);
    for (const [index, value] of numbers.entries()) this.#setPointer(view, index * size, value);
    return bytes;
  }

  /** Appends at an even offset, as TIFF 6.0 asks; the pad byte is part of the range before it. */
  async #append(bytes: Uint8Array): Promise<number> {
    const pad = this.#at % 2;
    const offset = this.#at + pad;
    if (!this.#layout.big && offset + bytes.length > CLASSIC_LIMIT) throw slideDamaged('a classic TIFF above 4 GiB');
    await this.#writeAll(pad === 0 ? bytes : Buffer.concat([new Uint8Array(1), bytes]), this.#at);
    this.ranges.push({ start: this.#at, end: offset + bytes.length });
    this.#at = offset + bytes.length;
    return offset;
  }

  async #patchPointer(at: number, value: number): Promise<void> {
    const bytes = new Uint8Array(this.#layout.big ? 8 : 4);
    this.#setPointer(new DataView(bytes.buffer), 0, value);
    await this.#writeAll(bytes, at);
  }

  async #writeAll(bytes: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      done += (await this.#handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
    }
  }

  #setPointer(view: DataView, at: number, value: number): void {
    if (this.#layout.big) view.setBigUint64(at, BigInt(value), this.#layout.littleEndian);
    else view.setUint32(at, value, this.#layout.littleEndian);
  }
}

async function rawValue(ifd: Ifd, tag: number): Promise<{ type: number; bytes: Uint8Array } | null> {
  const entry = ifd.entries.get(tag);
  const bytes = await ifd.bytes(tag);
  return entry === undefined || bytes === null ? null : { type: entry.type, bytes };
}
