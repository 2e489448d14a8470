import type { InputSpec, ResizeSpec } from '../../../src-shared/model/backbone.ts';
import { filterTaps } from '../slide/filters.ts';
import { resampleBlock } from '../slide/resample.ts';

/** What a card that says nothing of it means: the whole image, stretched, bilinear. */
export const WHOLE_IMAGE: ResizeSpec = { interpolation: 'bilinear', cropFromPx: null };

/** A rectangle of the source image in its pixels (float), the size it is brought to and what of that is taken. */
export interface InputFit {
  readonly resizedWidthPx: number;
  readonly resizedHeightPx: number;
  /** Top left pixel of the part that becomes the input. */
  readonly leftPx: number;
  readonly topPx: number;
}

/**
 * How an image becomes a network's input, as torchvision's `Resize` and `CenterCrop` do it: stretched to the input size;
 * or its shorter side brought to `cropFromPx`, the longer one cut to whole pixels, and the middle taken (Python's
 * rounding of halves to even).
 */
export function fitInput(widthPx: number, heightPx: number, input: InputSpec): InputFit {
  const { cropFromPx } = input.resize ?? WHOLE_IMAGE;
  if (cropFromPx === null) {
    return { resizedWidthPx: input.widthPx, resizedHeightPx: input.heightPx, leftPx: 0, topPx: 0 };
  }
  const longer = Math.trunc((cropFromPx * Math.max(widthPx, heightPx)) / Math.min(widthPx, heightPx));
  const [resizedWidthPx, resizedHeightPx] = widthPx <= heightPx ? [cropFromPx, longer] : [longer, cropFromPx];
  return {
    resizedWidthPx,
    resizedHeightPx,
    leftPx: halfToEven((resizedWidthPx - input.widthPx) / 2),
    topPx: halfToEven((resizedHeightPx - input.heightPx) / 2),
  };
}

function halfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Brings an RGB image to a network's input as its card says, bit for bit as Pillow does.
 *
 * @param data interleaved RGB, `widthPx` x `heightPx`.
 */
export function resizeToInput(data: Uint8Array, widthPx: number, heightPx: number, input: InputSpec): Uint8Array {
  const { resizedWidthPx, resizedHeightPx, leftPx, topPx } = fitInput(widthPx, heightPx, input);
  const { interpolation } = input.resize ?? WHOLE_IMAGE;
  const out = new Uint8Array(input.widthPx * input.heightPx * 3);
  const xScale = widthPx / resizedWidthPx;
  const yScale = heightPx / resizedHeightPx;
  // Pillow leaves a side alone that has its size already; so does a filter at scale 1, but for its rounding.
  const filter = (scale: number) => (scale === 1 ? 'nearest' : interpolation);
  resampleBlock(
    { xPx: 0, yPx: 0, widthPx, heightPx, data },
    filterTaps(filter(xScale), input.widthPx, leftPx * xScale, xScale, widthPx),
    filterTaps(filter(yScale), input.heightPx, topPx * yScale, yScale, heightPx),
    { x: 0, y: 0, width: input.widthPx, height: input.heightPx },
    out,
    input.widthPx,
  );
  return out;
}

/** A square tile of a slide in level-0 pixels. */
export interface TileSquare {
  readonly x0Px: number;
  readonly y0Px: number;
  readonly sizeLevel0Px: number;
}

/** The part of a tile a network sees, in level-0 pixels: the whole tile, or its middle where the card crops. */
export function seenRegion({ x0Px, y0Px, sizeLevel0Px }: TileSquare, input: InputSpec) {
  const { resizedWidthPx, resizedHeightPx, leftPx, topPx } = fitInput(1, 1, input);
  const xScale = sizeLevel0Px / resizedWidthPx;
  const yScale = sizeLevel0Px / resizedHeightPx;
  return {
    x0Px: x0Px + leftPx * xScale,
    y0Px: y0Px + topPx * yScale,
    widthLevel0Px: input.widthPx * xScale,
    heightLevel0Px: input.heightPx * yScale,
  };
}
