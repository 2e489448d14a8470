import { AppError } from '../../../src-shared/errors.ts';
import type { Precision } from '../../../src-shared/model/run.ts';
import { HALF_LIMIT, halvesToFloats, toHalves } from '../../../src-shared/numeric/float16.ts';

/** Bytes one feature takes in the store. */
export function bytesPerValue(precision: Precision): number {
  return precision === 'float16' ? 2 : 4;
}

/**
 * Features as the bytes of a chunk (little-endian; all supported machines are). float32 is a view, not a copy.
 * @throws AppError InvalidRequest where a value is too large for float16: it would become infinite.
 */
export function encodeValues(values: Float32Array, precision: Precision): Buffer {
  if (precision === 'float32') return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  if (values.some((value) => Math.abs(value) >= HALF_LIMIT)) {
    throw new AppError('InvalidRequest', 'This backbone gives features too large for 16-bit storage.', {
      advice: 'Extract them with precision float32.',
    });
  }
  return Buffer.from(toHalves(values).buffer);
}

/** Reads a chunk's bytes, or whole tiles of it, into `out` from index `at`. */
export function decodeValues(bytes: Buffer, precision: Precision, out: Float32Array, at: number): void {
  if (precision === 'float16') halvesToFloats(bytes, out.subarray(at, at + bytes.byteLength / 2));
  else new Uint8Array(out.buffer, out.byteOffset + at * 4, bytes.byteLength).set(bytes);
}
