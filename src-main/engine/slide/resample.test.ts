import { describe, expect, it } from 'vitest';
import { seededRandom } from './fuzz.ts';
import { type AxisTaps, axisTaps, type OutputBlock, resampleBlock, type SourceWindow, sourceSpan } from './resample.ts';

/** The definition, one sample at a time: rows first, then columns, each sum rounded to a byte. */
function byDefinition(window: SourceWindow, xTaps: AxisTaps, yTaps: AxisTaps, block: OutputBlock): Uint8Array {
  const sum = (taps: AxisTaps, out: number, sample: (index: number) => number): number => {
    let total = 2 ** 21;
    for (let tap = 0; tap < taps.count; tap++) {
      const weight = taps.weights[out * taps.count + tap] ?? 0;
      if (weight !== 0) total += weight * sample((taps.start[out] ?? 0) + tap);
    }
    return Math.min(255, Math.max(0, Math.floor(total / 2 ** 22)));
  };
  const out = new Uint8Array(block.width * block.height * 3);
  for (let at = 0; at < out.length; at++) {
    const [channel, x, y] = [at % 3, Math.floor(at / 3) % block.width, Math.floor(at / 3 / block.width)];
    out[at] = sum(yTaps, block.y + y, (row) =>
      sum(xTaps, block.x + x, (column) => {
        const value = window.data[((row - window.yPx) * window.widthPx + column - window.xPx) * 3 + channel];
        if (value === undefined) throw new Error(`nothing at ${column}, ${row}`);
        return value;
      }),
    );
  }
  return out;
}

/** A window of just the pixels that a block needs, filled by `value`. */
function windowFor(xTaps: AxisTaps, yTaps: AxisTaps, block: OutputBlock, value: () => number): SourceWindow {
  const x = sourceSpan(xTaps, block.x, block.x + block.width);
  const y = sourceSpan(yTaps, block.y, block.y + block.height);
  const [widthPx, heightPx] = [x.end - x.first, y.end - y.first];
  const data = Uint8Array.from({ length: widthPx * heightPx * 3 }, value);
  return { xPx: x.first, yPx: y.first, widthPx, heightPx, data };
}

describe('resampling', () => {
  it.each([
    ['near 1:1', 1.002],
    ['enlarged', 0.31],
    ['reduced', 3.7],
    ['reduced strongly', 41.5],
  ])('%s is its definition to the bit, in any block of the output', (_name, scale) => {
    const random = seededRandom(Math.round(scale * 1000));
    for (let round = 0; round < 12; round++) {
      const [width, height] = [1 + random(24), 1 + random(20)];
      const xTaps = axisTaps(width, (random(4000) - 2000) / 64, scale * (0.8 + random(100) / 250));
      const yTaps = axisTaps(height, (random(4000) - 2000) / 64, scale * (0.8 + random(100) / 250));
      const [x, y] = [random(width), random(height)];
      const block = { x, y, width: 1 + random(width - x), height: 1 + random(height - y) };
      const window = windowFor(xTaps, yTaps, block, () => (round % 4 === 0 ? 255 : random(256)));
      const out = new Uint8Array(width * height * 3).fill(7);
      resampleBlock(window, xTaps, yTaps, block, out, width);
      const expected = byDefinition(window, xTaps, yTaps, block);
      for (let row = 0; row < height; row++) {
        const line = out.subarray(row * width * 3, (row + 1) * width * 3);
        const inside = row >= y && row < y + block.height;
        const wanted = new Uint8Array(width * 3).fill(7);
        if (inside) wanted.set(expected.subarray((row - y) * block.width * 3, (row - y + 1) * block.width * 3), x * 3);
        expect(Buffer.compare(line, wanted)).toBe(0);
      }
    }
  });

  it('clips what negative weights make of it, as Pillow does', () => {
    const random = seededRandom(4);
    const one = 2 ** 22;
    const weights = Int32Array.from(
      [-0.07, 0.57, 0.57, -0.07, -0.2, 1.3, -0.1, 0].map((part) => Math.round(part * one)),
    );
    const taps: AxisTaps = { start: Int32Array.from([0, 2]), weights, count: 4 };
    const block = { x: 0, y: 0, width: 2, height: 2 };
    const seen = new Set<number>();
    for (let round = 0; round < 50; round++) {
      const window = windowFor(taps, taps, block, () => (random(2) === 0 ? 0 : 255));
      const out = new Uint8Array(12);
      resampleBlock(window, taps, taps, block, out, 2);
      expect([...out]).toEqual([...byDefinition(window, taps, taps, block)]);
      for (const value of out) seen.add(value);
    }
    expect(seen.has(0) && seen.has(255)).toBe(true);
  });

  it('of one large image, then of a small one: both come out right', () => {
    const taps = axisTaps(500, 0, 7);
    const block = { x: 0, y: 0, width: 500, height: 500 };
    const { first, end } = sourceSpan(taps, 0, 500);
    const side = end - first;
    const data = new Uint8Array(side * side * 3).fill(200);
    const out = new Uint8Array(750_000);
    resampleBlock({ xPx: first, yPx: first, widthPx: side, heightPx: side, data }, taps, taps, block, out, 500);
    expect(Buffer.compare(out, new Uint8Array(750_000).fill(200))).toBe(0);
    const small = axisTaps(2, 0, 1.5);
    const corner = { x: 0, y: 0, width: 2, height: 2 };
    const few = new Uint8Array(12);
    const window = windowFor(small, small, corner, () => 9);
    resampleBlock(window, small, small, corner, few, 2);
    expect([...few]).toEqual(Array.from({ length: 12 }, () => 9));
  });
});
