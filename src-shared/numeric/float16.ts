const SIGN = 0x8000;
const INFINITY = 0x7c00;
const QUIET_NAN = 0x7e00;
/** Exponent of float32 minus that of float16. */
const REBIAS = 127 - 15;

/** Reads a float32's bits. */
const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The IEEE 754 binary16 pattern nearest to a float32, ties to even: what numpy's astype(float16) gives. */
export function toHalf(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0] ?? 0;
  const sign = (bits >>> 16) & SIGN;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 255) return sign | (fraction === 0 ? INFINITY : QUIET_NAN);
  const half = exponent - REBIAS;
  if (half >= 31) return sign | INFINITY;
  // A carry out of the fraction rightly raises the exponent, up to infinity.
  if (half > 0) return sign | (half * 1024 + roundedShift(fraction, 13));
  if (half < -10) return sign;
  return sign | roundedShift(fraction | 0x800000, 14 - half);
}

/** `value` / 2^shift, rounded to the nearest, ties to even. */
function roundedShift(value: number, shift: number): number {
  const down = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (down & 1) === 1) ? down + 1 : down;
}

/** The number a binary16 pattern stands for; every one is a float32 exactly. */
export function fromHalf(bits: number): number {
  const sign = (bits & SIGN) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Largest magnitude that still rounds to a finite binary16: half way to the next power of two rounds away. */
export const HALF_LIMIT = 65_520;

/** Each value as its nearest binary16. */
export function toHalves(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) halves[i] = toHalf(values[i] ?? 0);
  return halves;
}

let table: Float32Array | null = null;

/** Writes the numbers of little-endian binary16 bytes to `out`, which has room for `bytes.length / 2`. */
export function halvesToFloats(bytes: Uint8Array, out: Float32Array): void {
  table ??= Float32Array.from({ length: 65_536 }, (_, bits) => fromHalf(bits));
  for (let i = 0, at = 0; at < bytes.length; i++, at += 2) {
    out[i] = table[(bytes[at] as number) | ((bytes[at + 1] as number) << 8)] as number;
  }
}
