import type { Interpolation } from '../../../src-shared/model/backbone.ts';
import type { AxisTaps } from './resample.ts';
import { WEIGHT_BITS } from './simd/resample-kernel.ts';

const ONE = 1 << WEIGHT_BITS;

interface Kernel {
  /** Half its width in source pixels at scale 1. */
  readonly support: number;
  readonly weight: (x: number) => number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** Keys' cubic convolution with a = -0.5, as Pillow's BICUBIC. */
function cubic(x: number): number {
  const at = Math.abs(x);
  if (at < 1) return (1.5 * at - 2.5) * at * at + 1;
  return at < 2 ? ((at - 5) * at + 8) * at * -0.5 + 2 : 0;
}

/** Pillow's filters (src/libImaging/Resample.c). NEAREST is no filter there and has no kernel here. */
const KERNELS: Readonly<Record<Exclude<Interpolation, 'nearest'>, Kernel>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    weight: (x) => (Math.abs(x) < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x)) : 0),
  },
  bicubic: { support: 2, weight: cubic },
  lanczos: { support: 3, weight: (x) => (x > -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/**
 * Weights along one axis as Pillow's `Image.resize(box=...)` computes them: antialiased, normalised, rounded to 22 bits.
 * Output sample i is centred on source coordinate `origin + (i + 0.5) * scale`.
 *
 * @param sourceCount samples of the source: the filter is shortened at its ends, as Pillow does with an image; null =
 * it goes on beyond them, as on a slide.
 */
export function filterTaps(
  interpolation: Interpolation,
  outCount: number,
  origin: number,
  scale: number,
  sourceCount: number | null = null,
): AxisTaps {
  if (interpolation === 'nearest') return nearestTaps(outCount, origin, scale, sourceCount);
  const kernel = KERNELS[interpolation];
  const stretch = Math.max(1, scale);
  const support = kernel.support * stretch;
  const count = Math.ceil(support) * 2 + 1;
  const start = new Int32Array(outCount);
  const weights = new Int32Array(outCount * count);
  for (let out = 0; out < outCount; out++) {
    const centre = origin + (out + 0.5) * scale;
    const low = Math.floor(centre - support + 0.5);
    const high = Math.floor(centre + support + 0.5);
    const first = sourceCount === null ? low : Math.max(0, low);
    const used = Math.min((sourceCount === null ? high : Math.min(high, sourceCount)) - first, count);
    const window = Array.from({ length: used }, (_, tap) => kernel.weight((first + tap - centre + 0.5) / stretch));
    const sum = window.reduce((total, weight) => total + weight, 0);
    start[out] = first;
    window.forEach((weight, tap) => {
      weights[out * count + tap] = Math.trunc((weight / sum) * ONE + (weight < 0 ? -0.5 : 0.5));
    });
  }
  return { start, weights, count };
}

function nearestTaps(outCount: number, origin: number, scale: number, sourceCount: number | null): AxisTaps {
  const last = sourceCount === null ? Number.MAX_SAFE_INTEGER : sourceCount - 1;
  const first = sourceCount === null ? Number.MIN_SAFE_INTEGER : 0;
  const start = Int32Array.from({ length: outCount }, (_, out) =>
    Math.min(last, Math.max(first, Math.floor(origin + (out + 0.5) * scale))),
  );
  return { start, weights: new Int32Array(outCount).fill(ONE), count: 1 };
}
