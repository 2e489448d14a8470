import { AppError } from '../../../src-shared/errors.ts';

/** The bytes of a typed array as SQLite binds them; a view, not a copy. All supported machines are little-endian. */
export function toBlob(values: Float32Array | Uint32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

/** A blob as float32, on memory of its own. */
export function float32Of(blob: Buffer): Float32Array {
  return new Float32Array(Uint8Array.from(blob).buffer);
}

/** A blob as unsigned 32-bit integers, on memory of its own. */
export function uint32Of(blob: Buffer): Uint32Array {
  return new Uint32Array(Uint8Array.from(blob).buffer);
}

/** JSON this store wrote itself: its shape is a matter of the schema version. @throws AppError StoreDamaged */
export function parseStored<T>(json: string, what: string): T {
  try {
    return JSON.parse(json) as T;
  } catch (error) {
    throw new AppError('StoreDamaged', `A record of the store (${what}) cannot be read.`, {
      advice: 'Restore a backup of the store, or remove what the record belongs to.',
      detail: String(error),
      cause: error,
    });
  }
}
