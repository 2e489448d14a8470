import { imageOf, type ShapeContext, type Window, windowOf } from '../autodiff/shapes.ts';
import type { WrittenGradient } from '../autodiff/weight-gradient.ts';
import { reorder } from './blocked-filter.ts';
import type { GraphWriter } from './graph-writer.ts';

/** The gradient of a filter [O, C, taps] as one convolution in three dimensions. */
export interface BlockedGradient {
  readonly out: number;
  /** Blocks of channels, C / b: the depth of the image. */
  readonly depth: number;
  readonly block: number;
  readonly image: readonly [heightPx: number, widthPx: number];
  /** The window of the convolution in two dimensions, whose rows are W x C places long. */
  readonly window: Window;
  /** Rows and columns of taps that come out. */
  readonly found: readonly [rows: number, columns: number];
  /** Starts, ends and steps of the rows and columns that are wanted; null for all. */
  readonly wanted: readonly (readonly number[])[] | null;
}

/** How a weight gradient is written in three dimensions; null where a size is not known. */
export function blockedGradientOf(
  { image, conv, cut }: WrittenGradient,
  [out = 1, channels = 1]: readonly number[],
  block: number,
  { dimsOf, intsOf }: ShapeContext,
): BlockedGradient | null {
  const [heightPx = 0, widthPx = 0] = imageOf(dimsOf(image) ?? []);
  const [rows = 0, places = 0] = imageOf(dimsOf(conv.outputs[0] ?? '') ?? []);
  if (!(heightPx * widthPx * rows * places > 0)) return null;
  const window = windowOf(conv, dimsOf(conv.inputs[1] ?? ''));
  const bounds = cut === null ? [] : [1, 2, 4].map((input) => intsOf(cut.inputs[input] ?? ''));
  const wanted = bounds.filter((values) => values !== null);
  if (wanted.length < bounds.length) return null;
  return {
    ...{ out, depth: channels / block, block, window, image: [heightPx, widthPx], found: [rows, places / channels] },
    wanted: cut === null ? null : wanted,
  };
}

/**
 * Writes it: the images [N, C, H, W], blocked, are one image [1, N, C / b, H, W b] of which every slice of depth is
 * convolved with dY by itself, and places of a row are the channels of one block. So they are read as they lie.
 *
 * @param filter dY with images for channels, [O, N, H, W]. @returns [O, C / b, taps, b].
 */
export function writeBlockedGradient(
  writer: GraphWriter,
  image: string,
  filter: string,
  { out, depth, block, image: [height, width], window, found, wanted }: BlockedGradient,
): string {
  const open = writer.reshape(reorder(writer, image), [1, -1, depth, height, width * block]);
  const [stride = 1] = window.strides;
  const [down = 1, across = 1] = window.dilations;
  const [top = 0, left = 0, bottom = 0, right = 0] = window.pads;
  const ints = (value: readonly number[]) => ({ kind: 'ints', value }) as const;
  // Along a row all of these are multiples of C, and become the same multiples of b.
  const attributes = {
    kernel_shape: ints([1, ...window.kernel]),
    strides: ints([1, stride, 1]),
    dilations: ints([1, down, across / depth]),
    pads: ints([0, top, left / depth, 0, bottom, right / depth]),
  };
  const taps = writer.emit('Conv', [open, writer.reshape(filter, [out, -1, 1, ...window.kernel])], attributes);
  if (wanted === null) return writer.reshape(taps, [out, depth, -1, block]);
  const [starts = [], ends = [], steps = []] = wanted;
  const bounds = [starts, ends, [2, 3], steps].map((values) => writer.ints(values));
  const cut = writer.emit('Slice', [writer.reshape(taps, [out, depth, ...found, block]), ...bounds]);
  return writer.reshape(cut, [out, depth, -1, block]);
}
