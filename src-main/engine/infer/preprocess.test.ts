import { describe, expect, it } from 'vitest';
import type { InputSpec } from '../../../src-shared/model/backbone.ts';
import { Preprocessor } from './preprocess.ts';

const spec = (change: Partial<InputSpec> = {}): InputSpec => ({
  widthPx: 2,
  heightPx: 1,
  layout: 'NCHW',
  channelOrder: 'RGB',
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  ...change,
});

/** Two tiles of two pixels. */
const PIXELS = Uint8Array.of(10, 20, 30, 40, 50, 60, 11, 21, 31, 41, 51, 61);

function filled(input: InputSpec): number[] {
  const out = new Float32Array(12);
  new Preprocessor(input).fill(PIXELS, 2, out);
  return Array.from(out);
}

describe('Preprocessor', () => {
  it('puts channels where the layout wants them', () => {
    expect(filled(spec())).toEqual([10, 40, 20, 50, 30, 60, 11, 41, 21, 51, 31, 61]);
    expect(filled(spec({ layout: 'NHWC' }))).toEqual(Array.from(PIXELS));
    expect(filled(spec({ channelOrder: 'BGR' }))).toEqual([30, 60, 20, 50, 10, 40, 31, 61, 21, 51, 11, 41]);
    expect(filled(spec({ layout: 'NHWC', channelOrder: 'BGR' })).slice(0, 6)).toEqual([30, 20, 10, 60, 50, 40]);
  });

  it('normalises each channel of the stated order: (pixel * scale - mean) / std', () => {
    const [mean, std] = [[0.1, 0.2, 0.3] as const, [0.5, 0.25, 2] as const];
    const values = filled(spec({ scale: 1 / 255, mean, std, channelOrder: 'BGR' }));
    const expected = [(30 / 255 - 0.1) / 0.5, (60 / 255 - 0.1) / 0.5, (20 / 255 - 0.2) / 0.25].map(Math.fround);
    expect(values.slice(0, 3)).toEqual(expected);
    expect(values[4]).toBe(Math.fround((10 / 255 - 0.3) / 2));
  });
});
