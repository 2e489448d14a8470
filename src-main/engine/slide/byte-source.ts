import { type FileHandle, open } from 'node:fs/promises';
import { fileUnreadable, slideDamaged } from './slide-errors.ts';

const BLOCK_BYTES = 16 * 1024;
const MAX_BLOCKS = 64;
/** No single structure of a slide file is larger; a larger request comes from a damaged length field. */
export const MAX_READ_BYTES = 1 << 29;

/** Random access to a file, bounds-checked. Reads past the end throw SlideDamaged, never return short. */
export interface ByteSource {
  readonly sizeBytes: number;
  /** Reads exactly `length` bytes, unbuffered: for pixel data. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** As `read`, through a small block cache: for headers and directories, which lie close together. */
  readCached(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Opens a regular file for random access. Throws FileUnreadable. */
export async function openByteSource(path: string): Promise<ByteSource> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw fileUnreadable(error);
  }
  try {
    const stat = await handle.stat();
    if (stat.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    return new FileByteSource(handle, stat.size);
  } catch (error) {
    await handle.close();
    throw fileUnreadable(error);
  }
}

class FileByteSource implements ByteSource {
  readonly sizeBytes: number;
  readonly #handle: FileHandle;
  readonly #blocks = new Map<number, Promise<Uint8Array>>();

  constructor(handle: FileHandle, sizeBytes: number) {
    this.#handle = handle;
    this.sizeBytes = sizeBytes;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.#check(offset, length);
    // allocUnsafeSlow: pooled buffers share memory with strangers and cannot be handed to other threads.
    const bytes = Buffer.allocUnsafeSlow(length);
    let done = 0;
    while (done < length) {
      let bytesRead: number;
      try {
        ({ bytesRead } = await this.#handle.read(bytes, done, length - done, offset + done));
      } catch (error) {
        throw fileUnreadable(error);
      }
      if (bytesRead === 0) throw slideDamaged(`end of file at ${offset + done}, ${length - done} bytes missing`);
      done += bytesRead;
    }
    return bytes;
  }

  async readCached(offset: number, length: number): Promise<Uint8Array> {
    this.#check(offset, length);
    const first = Math.floor(offset / BLOCK_BYTES);
    const last = Math.floor((offset + Math.max(length, 1) - 1) / BLOCK_BYTES);
    if (last - first > 3) return this.read(offset, length);
    if (first === last) {
      const start = offset - first * BLOCK_BYTES;
      return (await this.#block(first)).subarray(start, start + length);
    }
    const joined = new Uint8Array(length);
    for (let index = first; index <= last; index++) {
      const block = await this.#block(index);
      const from = Math.max(offset, index * BLOCK_BYTES);
      const to = Math.min(offset + length, index * BLOCK_BYTES + block.length);
      joined.set(block.subarray(from - index * BLOCK_BYTES, to - index * BLOCK_BYTES), from - offset);
    }
    return joined;
  }

  async close(): Promise<void> {
    this.#blocks.clear();
    await this.#handle.close();
  }

  #check(offset: number, length: number): void {
    const inside = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
    if (!inside || offset + length > this.sizeBytes) {
      throw slideDamaged(`bytes ${offset}+${length} lie outside the file of ${this.sizeBytes} bytes`);
    }
    if (length > MAX_READ_BYTES) throw slideDamaged(`a structure of ${length} bytes is too large to be true`);
  }

  #block(index: number): Promise<Uint8Array> {
    const known = this.#blocks.get(index);
    if (known !== undefined) return known;
    if (this.#blocks.size >= MAX_BLOCKS) {
      const oldest = this.#blocks.keys().next().value;
      if (oldest !== undefined) this.#blocks.delete(oldest);
    }
    const offset = index * BLOCK_BYTES;
    const block = this.read(offset, Math.min(BLOCK_BYTES, this.sizeBytes - offset));
    this.#blocks.set(index, block);
    block.catch(() => this.#blocks.delete(index));
    return block;
  }
}
