import { AppError } from '../../../../src-shared/errors.ts';
import { elementCount } from '../../graph/model.ts';

/** Element types a checkpoint may store its weights in. */
export type StoredType = 'float32' | 'float64' | 'float16' | 'bfloat16' | 'int64' | 'other';

export const STORED_BYTES: Readonly<Record<StoredType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  other: 1,
};

/** One tensor of a checkpoint; its values are read only when asked for. */
export interface CheckpointTensor {
  readonly dims: readonly number[];
  readonly type: StoredType;
  /** The values in row-major order as float32. @throws AppError BackboneUnreadable where the file is cut short. */
  read(): Float32Array;
}

/** Tensors of a checkpoint by their key, in the order of the file. */
export type Checkpoint = ReadonlyMap<string, CheckpointTensor>;

export function damaged(message: string, advice = 'Download the checkpoint again.', detail = ''): AppError {
  return new AppError('BackboneUnreadable', message, { advice, detail });
}

/** Decodes little-endian elements to float32. `bytes` must hold exactly `count` of them. */
export function decodeElements(bytes: Uint8Array, type: StoredType, count: number): Float32Array {
  if (bytes.byteLength !== count * STORED_BYTES[type]) throw damaged('This checkpoint is cut short.');
  if (type === 'float32') return new Float32Array(new Uint8Array(bytes).buffer);
  if (type === 'other') {
    throw damaged('This checkpoint stores weights in a number format Hyaline cannot read.', 'Save it as float32.');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(count);
  // Plain loops: a checkpoint has up to hundreds of millions of elements.
  if (type === 'float64') for (let i = 0; i < count; i += 1) values[i] = view.getFloat64(i * 8, true);
  else if (type === 'int64') for (let i = 0; i < count; i += 1) values[i] = Number(view.getBigInt64(i * 8, true));
  else if (type === 'float16') {
    const table = halfTable();
    for (let i = 0; i < count; i += 1) values[i] = table[view.getUint16(i * 2, true)] ?? 0;
  } else {
    const words = new Uint32Array(values.buffer);
    for (let i = 0; i < count; i += 1) words[i] = view.getUint16(i * 2, true) << 16;
  }
  return values;
}

let halves: Float32Array | null = null;

/** The value of each of the 65,536 half-precision numbers. */
function halfTable(): Float32Array {
  halves ??= Float32Array.from({ length: 65_536 }, (_, bits) => halfToFloat(bits));
  return halves;
}

/** IEEE 754 binary16 to a number. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Picks a strided view out of a flat storage, row-major. */
export function gatherStrided(
  storage: Float32Array,
  offset: number,
  dims: readonly number[],
  strides: readonly number[],
): Float32Array {
  const count = elementCount(dims);
  const expected = dims.map((_, axis) => elementCount(dims.slice(axis + 1)));
  const last = count === 0 ? 0 : dims.reduce((sum, dim, axis) => sum + (dim - 1) * (strides[axis] ?? 0), offset);
  if (offset < 0 || last >= Math.max(1, storage.length))
    throw damaged('A tensor of this checkpoint lies outside its data.');
  const contiguous = dims.every((dim, axis) => dim === 1 || strides[axis] === expected[axis]);
  if (contiguous) return storage.slice(offset, offset + count);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    let rest = i;
    let from = offset;
    for (const [axis, size] of expected.entries()) {
      from += Math.floor(rest / size) * (strides[axis] ?? 0);
      rest %= size;
    }
    out[i] = storage[from] ?? 0;
  }
  return out;
}
