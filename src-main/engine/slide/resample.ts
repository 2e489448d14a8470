import { createResampleKernel, type ResampleKernel, SLACK_BYTES, WEIGHT_BITS } from './simd/resample-kernel.ts';

const ONE = 1 << WEIGHT_BITS;
const PAGE_BYTES = 1 << 16;
/** Memory that a thread keeps between calls; what a larger image needed is given back. */
const KEPT_BYTES = 32 << 20;

/** Filter weights of one axis: output i sums `count` source samples from `start[i]`, weights in 1/2^22. */
export interface AxisTaps {
  readonly start: Int32Array;
  readonly weights: Int32Array;
  /** Weights per output sample (unused ones are 0). */
  readonly count: number;
}

/**
 * Weights of an antialiasing triangle filter along one axis, as Pillow's BILINEAR `Image.resize(box=…)` computes them
 * (src/libImaging/Resample.c: support scaled by the reduction, weights normalised and rounded to 22 bits).
 * Output sample i is centred on source coordinate `origin + (i + 0.5) * scale`. Source indices may be negative: what
 * lies outside the level is white, not left out.
 */
export function axisTaps(outCount: number, origin: number, scale: number): AxisTaps {
  const support = Math.max(1, scale);
  const count = Math.ceil(support) * 2 + 1;
  const start = new Int32Array(outCount);
  const weights = new Int32Array(outCount * count);
  const window = new Float64Array(count);
  for (let out = 0; out < outCount; out++) {
    const centre = origin + (out + 0.5) * scale;
    const first = Math.floor(centre - support + 0.5);
    const used = Math.min(Math.floor(centre + support + 0.5) - first, count);
    let sum = 0;
    for (let tap = 0; tap < used; tap++) {
      const weight = Math.max(0, 1 - Math.abs((first + tap - centre + 0.5) / support));
      window[tap] = weight;
      sum += weight;
    }
    start[out] = first;
    for (let tap = 0; tap < used; tap++) {
      weights[out * count + tap] = Math.floor(0.5 + ((window[tap] ?? 0) / sum) * ONE);
    }
  }
  return { start, weights, count };
}

/** First and one-past-last source index that outputs `from`..`to`-1 read with a weight other than 0. */
export function sourceSpan(taps: AxisTaps, from: number, to: number): { first: number; end: number } {
  let first = Number.MAX_SAFE_INTEGER;
  let end = Number.MIN_SAFE_INTEGER;
  for (let out = from; out < to; out++) {
    const base = out * taps.count;
    for (let tap = 0; tap < taps.count; tap++) {
      if ((taps.weights[base + tap] ?? 0) === 0) continue;
      const index = (taps.start[out] ?? 0) + tap;
      if (index < first) first = index;
      if (index + 1 > end) end = index + 1;
    }
  }
  return { first, end };
}

/** A window of RGB source pixels whose top left pixel is (xPx, yPx) of the level. */
export interface SourceWindow {
  readonly xPx: number;
  readonly yPx: number;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly data: Uint8Array;
}

/** A rectangle of the output image. */
export interface OutputBlock {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

let kernel: ResampleKernel | null = null;

/**
 * Resamples a block of an RGB output image, rows first, then columns, each rounded to 8 bits (as Pillow does).
 * The window must hold every source pixel the block's weights touch. `outWidth` is the row length of `out` in pixels.
 */
export function resampleBlock(
  source: SourceWindow,
  xTaps: AxisTaps,
  yTaps: AxisTaps,
  block: OutputBlock,
  out: Uint8Array,
  outWidth: number,
): void {
  const xPlan = axisPlan(xTaps, block.x, block.width, source.xPx, 3);
  const stride = Math.ceil((block.width * 3) / 16) * 16;
  const yPlan = axisPlan(yTaps, block.y, block.height, source.yPx, stride);
  const at = layOut({
    source: source.data.length,
    // Weights of 0 fill the plans up: what they are multiplied with must exist, and nothing more.
    rows: stride * (source.heightPx + yPlan.taps) + xPlan.taps * 3,
    out: stride * block.height,
    xPlan: xPlan.entries.byteLength,
    yPlan: yPlan.entries.byteLength,
  });
  kernel ??= createResampleKernel();
  const bytes = memoryOf(kernel, at.end);
  bytes.set(source.data, at.source);
  new Int32Array(bytes.buffer, at.xPlan).set(xPlan.entries);
  new Int32Array(bytes.buffer, at.yPlan).set(yPlan.entries);
  const sourceStride = source.widthPx * 3;
  kernel.rows(at.source, sourceStride, source.heightPx, at.xPlan, block.width, xPlan.taps, at.rows, stride);
  kernel.columns(at.rows, stride, at.yPlan, block.height, yPlan.taps, at.out);
  for (let row = 0; row < block.height; row++) {
    const from = at.out + row * stride;
    out.set(bytes.subarray(from, from + block.width * 3), ((block.y + row) * outWidth + block.x) * 3);
  }
  if (bytes.length > KEPT_BYTES) kernel = null;
}

/** Places areas of these sizes one after another, each aligned and with slack behind it. */
function layOut<Name extends string>(sizes: Readonly<Record<Name, number>>): Record<Name | 'end', number> {
  let end = 0;
  const places: Record<string, number> = {};
  for (const [name, size] of Object.entries<number>(sizes)) {
    places[name] = end;
    end = Math.ceil((end + size + SLACK_BYTES) / 16) * 16;
  }
  return { ...places, end } as Record<Name | 'end', number>;
}

function memoryOf({ memory }: ResampleKernel, size: number): Uint8Array {
  const missing = size - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  return new Uint8Array(memory.buffer);
}

/**
 * What the kernel needs to know of one axis: per output the offset of its first source sample (`step` units each) within
 * the window, then `taps` weights, an even number, filled up with 0.
 */
function axisPlan(
  axis: AxisTaps,
  from: number,
  length: number,
  windowOrigin: number,
  step: number,
): { taps: number; entries: Int32Array } {
  const { start, weights, count } = axis;
  const spans = new Int32Array(length * 2);
  let taps = 2;
  for (let index = 0; index < length; index++) {
    const base = (from + index) * count;
    let low = 0;
    let high = count;
    while (high > low + 1 && weights[base + high - 1] === 0) high--;
    while (low < high - 1 && weights[base + low] === 0) low++;
    spans[index * 2] = low;
    spans[index * 2 + 1] = high;
    if (high - low > taps) taps = (high - low + 1) & ~1;
  }
  const entries = new Int32Array(length * (1 + taps));
  for (let index = 0; index < length; index++) {
    const base = (from + index) * count;
    const low = spans[index * 2] as number;
    const high = spans[index * 2 + 1] as number;
    const entry = index * (1 + taps);
    entries[entry] = ((start[from + index] as number) + low - windowOrigin) * step;
    for (let tap = low; tap < high; tap++) entries[entry + 1 + tap - low] = weights[base + tap] as number;
  }
  return { taps, entries };
}
