import { describe, expect, it } from 'vitest';
import type { InputSpec, ResizeSpec } from '../../../src-shared/model/backbone.ts';
import { IMAGENET_INPUT } from '../backbone/imagenet-input.ts';
import golden from './fit-input.golden.json' with { type: 'json' };
import { fitInput, resizeToInput, seenRegion } from './fit-input.ts';

/** The image of fit-input.golden.py. */
function imageOf(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const checks = ((Math.floor(x / 5) + Math.floor(y / 7)) % 2) * 255;
      bytes.set([(x * 37 + y * 13) % 256, (x * y) % 256, checks], (y * width + x) * 3);
    }
  }
  return bytes;
}

const specOf = (widthPx: number, heightPx: number, resize?: ResizeSpec): InputSpec => ({
  ...IMAGENET_INPUT,
  ...{ widthPx, heightPx },
  ...(resize === undefined ? {} : { resize }),
});

describe('resizeToInput', () => {
  it.each(golden.cases)('is torchvision on a PIL image, to the last bit: %j', (wanted) => {
    const [width = 0, height = 0] = wanted.image;
    const [widthPx = 0, heightPx = 0] = wanted.input;
    const interpolation = wanted.interpolation as ResizeSpec['interpolation'];
    const input = specOf(widthPx, heightPx, { interpolation, cropFromPx: wanted.cropFromPx });
    const seen = resizeToInput(imageOf(width, height), width, height, input);
    expect(Array.from(seen).filter((_, i) => i % golden.every === 0)).toEqual(wanted.values);
  });

  it('stretches with the bilinear filter where a card of an earlier version does not say', () => {
    const image = imageOf(70, 50);
    const said = specOf(24, 20, { interpolation: 'bilinear', cropFromPx: null });
    expect(resizeToInput(image, 70, 50, specOf(24, 20))).toEqual(resizeToInput(image, 70, 50, said));
  });
});

describe('fitInput', () => {
  it('rounds halves to even as Python does', () => {
    const offset = (cropFromPx: number): number =>
      fitInput(1, 1, specOf(224, 224, { interpolation: 'bilinear', cropFromPx })).leftPx;
    expect([224, 225, 226, 227, 229, 256, 257].map(offset)).toEqual([0, 0, 1, 2, 2, 16, 16]);
  });
});

describe('seenRegion', () => {
  const tile = { x0Px: 1000, y0Px: 2000, sizeLevel0Px: 512 };

  it('is the whole tile where it is stretched', () => {
    const whole = { x0Px: 1000, y0Px: 2000, widthLevel0Px: 512, heightLevel0Px: 512 };
    expect(seenRegion(tile, specOf(224, 224))).toEqual(whole);
  });

  it('is the middle of the tile where the card crops', () => {
    const input = specOf(224, 224, { interpolation: 'bicubic', cropFromPx: 256 });
    expect(seenRegion(tile, input)).toEqual({ x0Px: 1032, y0Px: 2032, widthLevel0Px: 448, heightLevel0Px: 448 });
  });
});
