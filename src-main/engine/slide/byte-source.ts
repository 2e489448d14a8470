import { readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { decodesInThisThread } from '../codec/thread-mode.ts';
import { fileUnreadable, slideDamaged } from './slide-errors.ts';

const BLOCK_BYTES = 16 * 1024;
const MAX_BLOCKS = 64;
/** A read that took this long did not come from memory. */
const SLOW_READ_MS = 2;
const READS_AFTER_SLOW = 100;
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
  /** Reads still to be asked for rather than waited for. */
  #asking = 0;
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
      const bytesRead = await this.#readSome(bytes.subarray(done), offset + done);
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

  /**
   * At least one byte, or none at the end of the file. A thread for decoding reads by itself: bytes that the system has
   * at hand come faster than another thread could be asked for them. Where it had to wait (a network disk, say), the
   * next reads are asked for, so that several are under way at once.
   */
  async #readSome(bytes: Uint8Array, offset: number): Promise<number> {
    try {
      if (!decodesInThisThread() || this.#asking > 0) {
        this.#asking = Math.max(0, this.#asking - 1);
        return (await this.#handle.read(bytes, 0, bytes.length, offset)).bytesRead;
      }
      const started = performance.now();
      const bytesRead = readSync(this.#handle.fd, bytes, 0, bytes.length, offset);
      if (performance.now() - started > SLOW_READ_MS) this.#asking = READS_AFTER_SLOW;
      return bytesRead;
    } catch (error) {
      throw fileUnreadable(error);
    }
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
