import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Bytes that are read part by part, so that a file need not be in memory. */
export interface ByteSource {
  readonly byteLength: number;
  /** From `start` up to, not including, `end`; shorter where the source ends before. */
  read(start: number, end: number): Uint8Array;
}

export const inMemory = (bytes: Uint8Array): ByteSource => ({
  byteLength: bytes.byteLength,
  read: (start, end) => bytes.subarray(start, end),
});

/** Lets `use` read parts of a file, which is closed when it returns. Throws what the file system says. */
export function withFile<T>(path: string, use: (source: ByteSource) => T): T {
  const file = openSync(path, 'r');
  try {
    const byteLength = fstatSync(file).size;
    return use({
      byteLength,
      read: (start, end) => {
        const bytes = new Uint8Array(Math.max(0, Math.min(end, byteLength) - start));
        let filled = 0;
        while (filled < bytes.byteLength) {
          const got = readSync(file, bytes, filled, bytes.byteLength - filled, start + filled);
          if (got === 0) return bytes.subarray(0, filled);
          filled += got;
        }
        return bytes;
      },
    });
  } finally {
    closeSync(file);
  }
}
