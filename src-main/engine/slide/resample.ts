const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);
const ONE = 1 << PRECISION_BITS;

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
  const rows = new Uint8Array(block.width * 3 * source.heightPx);
  filterRows(source, xTaps, block, rows);
  filterColumns(source, yTaps, block, rows, out, outWidth);
}

// Indices below are kept inside by the spans, hence the casts; sums fit an int32: 255 * 2^22 + 2^21 < 2^31.
function filterRows(source: SourceWindow, taps: AxisTaps, block: OutputBlock, rows: Uint8Array): void {
  const spans = trimmedSpans(taps, block.x, block.width, source.xPx);
  let most = 0;
  for (let index = 0; index < block.width; index++) most = Math.max(most, spans[index * 3 + 1] as number);
  if (most <= 3) filterRowsOfThree(source, taps, block, spans, rows);
  else filterRowsOfMany(source, taps, block, spans, rows);
}

/** At most three weights a pixel: what resampling near 1:1 comes down to. */
function filterRowsOfThree(
  source: SourceWindow,
  taps: AxisTaps,
  block: OutputBlock,
  spans: Int32Array,
  rows: Uint8Array,
): void {
  const { data, widthPx, heightPx } = source;
  const width = block.width;
  // A span shorter than three is padded with weight 0 on its own first pixel, so that nothing outside is read.
  const plan = new Int32Array(width * 6);
  for (let index = 0; index < width; index++) {
    const used = spans[index * 3 + 1] as number;
    const weightBase = (block.x + index) * taps.count + (spans[index * 3 + 2] as number);
    for (let tap = 0; tap < 3; tap++) {
      const live = tap < used;
      plan[index * 6 + tap] = ((spans[index * 3] as number) + (live ? tap : 0)) * 3;
      plan[index * 6 + 3 + tap] = live ? (taps.weights[weightBase + tap] as number) : 0;
    }
  }
  for (let row = 0; row < heightPx; row++) {
    const base = row * widthPx * 3;
    let at = row * width * 3;
    for (let step = 0; step < width * 6; step += 6) {
      const p0 = base + (plan[step] as number);
      const p1 = base + (plan[step + 1] as number);
      const p2 = base + (plan[step + 2] as number);
      const w0 = plan[step + 3] as number;
      const w1 = plan[step + 4] as number;
      const w2 = plan[step + 5] as number;
      if (w2 === 0) {
        // Two weights are the rule near 1:1, a third the exception.
        rows[at] = toByte((HALF + (data[p0] as number) * w0 + (data[p1] as number) * w1) | 0);
        rows[at + 1] = toByte((HALF + (data[p0 + 1] as number) * w0 + (data[p1 + 1] as number) * w1) | 0);
        rows[at + 2] = toByte((HALF + (data[p0 + 2] as number) * w0 + (data[p1 + 2] as number) * w1) | 0);
        at += 3;
        continue;
      }
      rows[at] = toByte((HALF + (data[p0] as number) * w0 + (data[p1] as number) * w1 + (data[p2] as number) * w2) | 0);
      rows[at + 1] = toByte(
        (HALF + (data[p0 + 1] as number) * w0 + (data[p1 + 1] as number) * w1 + (data[p2 + 1] as number) * w2) | 0,
      );
      rows[at + 2] = toByte(
        (HALF + (data[p0 + 2] as number) * w0 + (data[p1 + 2] as number) * w1 + (data[p2 + 2] as number) * w2) | 0,
      );
      at += 3;
    }
  }
}

function filterRowsOfMany(
  source: SourceWindow,
  taps: AxisTaps,
  block: OutputBlock,
  spans: Int32Array,
  rows: Uint8Array,
): void {
  const { data, widthPx, heightPx } = source;
  const { count, weights } = taps;
  for (let row = 0; row < heightPx; row++) {
    const base = row * widthPx * 3;
    let at = row * block.width * 3;
    for (let index = 0; index < block.width; index++) {
      const weightBase = (block.x + index) * count + (spans[index * 3 + 2] as number);
      const used = spans[index * 3 + 1] as number;
      let pixel = base + (spans[index * 3] as number) * 3;
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (let tap = 0; tap < used; tap++) {
        const weight = weights[weightBase + tap] as number;
        red = (red + (data[pixel] as number) * weight) | 0;
        green = (green + (data[pixel + 1] as number) * weight) | 0;
        blue = (blue + (data[pixel + 2] as number) * weight) | 0;
        pixel += 3;
      }
      rows[at] = toByte(red);
      rows[at + 1] = toByte(green);
      rows[at + 2] = toByte(blue);
      at += 3;
    }
  }
}

function filterColumns(
  source: SourceWindow,
  taps: AxisTaps,
  block: OutputBlock,
  rows: Uint8Array,
  out: Uint8Array,
  outWidth: number,
): void {
  const stride = block.width * 3;
  const spans = trimmedSpans(taps, block.y, block.height, source.yPx);
  const sums = new Int32Array(stride);
  for (let index = 0; index < block.height; index++) {
    const first = (spans[index * 3] as number) * stride;
    const used = spans[index * 3 + 1] as number;
    const weightBase = (block.y + index) * taps.count + (spans[index * 3 + 2] as number);
    const to = ((block.y + index) * outWidth + block.x) * 3;
    if (used <= 3) {
      filterThree(rows, first, stride, taps.weights, weightBase, used, out, to);
      continue;
    }
    sums.fill(HALF);
    for (let tap = 0; tap < used; tap++) {
      const weight = taps.weights[weightBase + tap] as number;
      const base = first + tap * stride;
      for (let at = 0; at < stride; at++)
        sums[at] = (sums[at] as number) + (((rows[base + at] as number) * weight) | 0);
    }
    for (let at = 0; at < stride; at++) out[to + at] = toByte(sums[at] as number);
  }
}

/** One output row from at most three source rows: what resampling near 1:1 comes down to. */
function filterThree(
  rows: Uint8Array,
  first: number,
  stride: number,
  weights: Int32Array,
  weightBase: number,
  used: number,
  out: Uint8Array,
  to: number,
): void {
  const w0 = weights[weightBase] as number;
  const w1 = used > 1 ? (weights[weightBase + 1] as number) : 0;
  const w2 = used > 2 ? (weights[weightBase + 2] as number) : 0;
  const b1 = used > 1 ? first + stride : first;
  const b2 = used > 2 ? first + 2 * stride : first;
  if (w2 === 0) {
    for (let at = 0; at < stride; at++) {
      out[to + at] = toByte((HALF + (rows[first + at] as number) * w0 + (rows[b1 + at] as number) * w1) | 0);
    }
    return;
  }
  for (let at = 0; at < stride; at++) {
    const sum =
      (HALF + (rows[first + at] as number) * w0 + (rows[b1 + at] as number) * w1 + (rows[b2 + at] as number) * w2) | 0;
    out[to + at] = toByte(sum);
  }
}

/** Per output: first source index within the window, number of weights from the first to the last that is not 0, and the index of that first weight. */
function trimmedSpans(taps: AxisTaps, from: number, length: number, windowOrigin: number): Int32Array {
  const spans = new Int32Array(length * 3);
  for (let index = 0; index < length; index++) {
    const base = (from + index) * taps.count;
    let low = 0;
    let high = taps.count;
    while (high > low + 1 && taps.weights[base + high - 1] === 0) high--;
    while (low < high - 1 && taps.weights[base + low] === 0) low++;
    spans[index * 3] = (taps.start[from + index] ?? 0) + low - windowOrigin;
    spans[index * 3 + 1] = high - low;
    spans[index * 3 + 2] = low;
  }
  return spans;
}

/**
 * The 8-bit result of a sum. No clipping: weights are positive and add up to 2^22 within half a unit each, so even 255
 * everywhere stays below 256 for any number of weights under 2^13.
 */
function toByte(sum: number): number {
  return sum >> PRECISION_BITS;
}
