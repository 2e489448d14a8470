import { expect, it } from 'vitest';
import type { InputSpec, Interpolation } from '../../../src-shared/model/backbone.ts';
import { seenRegion, WHOLE_IMAGE } from '../infer/fit-input.ts';
import { Preprocessor } from '../infer/preprocess.ts';
import { createDecodePool } from '../slide/decode-pool.ts';
import { realSlide } from '../testing/real-data.ts';
import golden from './preprocessing.golden.json' with { type: 'json' };

const slidePath = realSlide('aperio/CMU-1-Small-Region.svs');
it.skipIf(slidePath === null)('a network sees of a tile what torchvision makes of it, within 1/255', async () => {
  const pool = createDecodePool({ slidePath: slidePath ?? '', workers: 1 });
  try {
    for (const { x, y, side, size, crop, mode, border, values } of golden.tiles) {
      const output = new SharedArrayBuffer(size * size * 3);
      const spec = specOf(size, mode as Interpolation | null, crop);
      const region = seenRegion({ x0Px: x, y0Px: y, sizeLevel0Px: side }, spec);
      const { interpolation } = spec.resize ?? WHOLE_IMAGE;
      const batch = { regions: [region], outWidthPx: size, outHeightPx: size, interpolation, output, offset: 0 };
      await pool.readRegions(batch);
      const seen = new Float32Array(size * size * 3);
      new Preprocessor(spec).fill(new Uint8Array(output), 1, seen);
      const inner = innerOf(seen, size, border);
      expect(values.length).toBe(Math.ceil(inner.length / golden.every));
      values.forEach((wanted, i) => {
        const at = i * golden.every;
        const std = golden.std[Math.floor(at / (inner.length / 3))] ?? 1;
        const steps = Math.abs((inner[at] ?? Number.NaN) - wanted) * std * 255;
        if (!(steps < 1.02)) expect.unreachable(`tile at ${x}, ${y}: value ${at} is off by ${steps} of 255`);
      });
    }
  } finally {
    await pool.close();
  }
});

function specOf(size: number, interpolation: Interpolation | null, cropFromPx: number | null): InputSpec {
  const [mean, std] = [golden.mean, golden.std] as unknown as [InputSpec['mean'], InputSpec['std']];
  const resize = interpolation === null ? {} : { resize: { interpolation, cropFromPx } };
  const side = { widthPx: size, heightPx: size };
  return { ...side, layout: 'NCHW', channelOrder: 'RGB', scale: 1 / 255, mean, std, ...resize };
}

/** Channel by channel without the outermost pixels. */
function innerOf(values: Float32Array, size: number, border: number): Float32Array {
  const inner: number[] = [];
  for (let c = 0; c < 3; c += 1) {
    for (let row = border; row < size - border; row += 1) {
      const start = (c * size + row) * size;
      inner.push(...values.subarray(start + border, start + size - border));
    }
  }
  return Float32Array.from(inner);
}
