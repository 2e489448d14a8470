import { elementCount } from '../../graph/model.ts';
import { hashText } from '../random-stream.ts';
import type { WeightSource, WeightSpec } from '../weights.ts';

/**
 * Weights by a formula that Python computes too (`architectures.golden.py`), so that networks can be compared between
 * the two without a weight file. Element i of a tensor is an integer hash of i and of the tensor's name as u in [0, 1).
 */
export const hashWeights: WeightSource = (spec) => {
  const start = hashText(spec.name);
  return Float32Array.from({ length: elementCount(spec.dims) }, (_, i) => elementOf(spec, hashUnit(i + start)));
};

/** 32-bit integer hash (two rounds of xor-shift-multiply) scaled to [0, 1). */
export function hashUnit(index: number): number {
  let x = index >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
}

function elementOf(spec: WeightSpec, u: number): number {
  if (spec.name.endsWith('running_mean')) return 0.4 * (u - 0.5);
  if (spec.name.endsWith('running_var')) return 0.5 + u;
  if (spec.dims.length === 3) return 0.4 * (u - 0.5);
  if (spec.dims.length > 1) return (2 * u - 1) * Math.sqrt(6 / spec.dims.slice(1).reduce((a, b) => a * b, 1));
  return spec.name.endsWith('bias') ? 0.2 * (u - 0.5) : 0.5 + u;
}

/** Interleaved RGB noise images, the same as in the Python script. */
export function hashPixels(count: number, heightPx: number, widthPx: number): Uint8Array {
  return Uint8Array.from({ length: count * heightPx * widthPx * 3 }, (_, i) => Math.floor(hashUnit(i + 12345) * 256));
}
