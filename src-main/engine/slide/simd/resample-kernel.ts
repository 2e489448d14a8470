import {
  add,
  assembleModule,
  type Code,
  get,
  i32,
  increase,
  type KernelFunction,
  load,
  multiply,
  repeat,
  set,
  store,
  vector,
} from './assemble.ts';

/** Bits after the point of the weights. */
export const WEIGHT_BITS = 22;
const HALF = 1 << (WEIGHT_BITS - 1);
/** Bytes the kernel may read or write past the end of an area. */
export const SLACK_BYTES = 64;

/**
 * The inner loops of resampling, in WebAssembly with 128-bit vectors: integer sums of bytes times weights, rounded to
 * 8 bits and clipped to 0..255 (weights may be negative). A plan holds, for each output sample, the byte offset of its first source sample and `taps` weights (int32).
 */
export interface ResampleKernel {
  readonly memory: WebAssembly.Memory;
  /**
   * Filters each of `height` rows of RGB to `width` pixels; `taps` is even. Offsets in the plan count from the start of
   * a row. Each pixel is written as four bytes, the fourth of which the next one overwrites.
   */
  rows(
    source: number,
    sourceStride: number,
    height: number,
    plan: number,
    width: number,
    taps: number,
    out: number,
    outStride: number,
  ): void;
  /** Filters `height` output rows of `stride` bytes (a multiple of 16) from rows of the same stride. */
  columns(source: number, stride: number, plan: number, height: number, taps: number, out: number): void;
}

let compiled: WebAssembly.Module | null = null;

/** A kernel with a memory of its own; compiled once for a thread. */
export function createResampleKernel(): ResampleKernel {
  compiled ??= new WebAssembly.Module(assembleModule([ROWS, COLUMNS]));
  return new WebAssembly.Instance(compiled).exports as unknown as ResampleKernel;
}

const half: Code = vector.splat(i32(HALF));

/** Four bytes as four 32-bit lanes. */
const pixelAt = (at: Code, offset: number): Code =>
  vector.widenShorts(vector.widenBytes(vector.loadLane(at, offset), 'low'), 'low');

const ROWS: KernelFunction = (() => {
  const [source, sourceStride, height, plan, width, taps, out, outStride] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
  const [step, from, to, pixels, left, sum] = [8, 9, 10, 11, 12, 13] as const;
  const weighted = (tap: number): Code =>
    vector.multiplyX4(pixelAt(get(from), tap * 3), vector.loadSplat(get(step), tap * 4));
  const bytes = (): Code => {
    const shorts = vector.narrowX4(vector.shiftRightX4(get(sum), WEIGHT_BITS), get(sum));
    return vector.narrowShorts(shorts, get(sum));
  };
  const pixel: Code = [
    ...set(from, add(get(source), load(get(step)))),
    ...increase(step, i32(4)),
    ...set(sum, half),
    ...set(left, get(taps)),
    ...repeat(
      left,
      [
        ...set(sum, vector.addX4(get(sum), vector.addX4(weighted(0), weighted(1)))),
        ...increase(step, i32(8)),
        ...increase(from, i32(6)),
      ],
      2,
    ),
    ...store(get(to), vector.lowestLane(bytes())),
    ...increase(to, i32(3)),
  ];
  const row: Code = [
    ...set(step, get(plan)),
    ...set(to, get(out)),
    ...set(pixels, get(width)),
    ...repeat(pixels, pixel),
    ...increase(source, get(sourceStride)),
    ...increase(out, get(outStride)),
  ];
  const locals = ['i32', 'i32', 'i32', 'i32', 'i32', 'v128'] as const;
  return { name: 'rows', parameters: 8, locals, body: repeat(height, row) };
})();

const COLUMNS: KernelFunction = (() => {
  const [source, stride, plan, height, taps, out] = [0, 1, 2, 3, 4, 5] as const;
  const [base, to, chunk, from, step, left] = [6, 7, 8, 9, 10, 11] as const;
  const [samples, weight, shorts] = [12, 13, 14] as const;
  const sums = [15, 16, 17, 18] as const;
  const gather = (sum: number, part: 'low' | 'high'): Code =>
    set(sum, vector.addX4(get(sum), vector.multiplyX4(vector.widenShorts(get(shorts), part), get(weight))));
  const shifted = (sum: number): Code => vector.shiftRightX4(get(sum), WEIGHT_BITS);
  const sixteen: Code = [
    ...sums.flatMap((sum) => set(sum, half)),
    ...set(from, get(base)),
    ...set(step, get(plan)),
    ...set(left, get(taps)),
    ...repeat(left, [
      ...set(samples, vector.load(get(from))),
      ...set(weight, vector.loadSplat(get(step), 4)),
      ...set(shorts, vector.widenBytes(get(samples), 'low')),
      ...gather(sums[0], 'low'),
      ...gather(sums[1], 'high'),
      ...set(shorts, vector.widenBytes(get(samples), 'high')),
      ...gather(sums[2], 'low'),
      ...gather(sums[3], 'high'),
      ...increase(from, get(stride)),
      ...increase(step, i32(4)),
    ]),
    ...vector.store(
      get(to),
      vector.narrowShorts(
        vector.narrowX4(shifted(sums[0]), shifted(sums[1])),
        vector.narrowX4(shifted(sums[2]), shifted(sums[3])),
      ),
    ),
    ...increase(base, i32(16)),
    ...increase(to, i32(16)),
  ];
  const row: Code = [
    ...set(base, add(get(source), load(get(plan)))),
    ...set(to, get(out)),
    ...set(chunk, get(stride)),
    ...repeat(chunk, sixteen, 16),
    ...increase(plan, add(i32(4), multiply(get(taps), i32(4)))),
    ...increase(out, get(stride)),
  ];
  const locals = [
    ...['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    ...['v128', 'v128', 'v128', 'v128', 'v128', 'v128', 'v128'],
  ] as KernelFunction['locals'];
  return { name: 'columns', parameters: 6, locals, body: repeat(height, row) };
})();
