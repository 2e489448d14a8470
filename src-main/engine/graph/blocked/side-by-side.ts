import { type GraphNode, intAttribute, intsAttribute } from '../model.ts';
import type { GraphWriter } from './graph-writer.ts';

/** Width up to which images are put side by side: the kernels compute six places of a row at once, border places alone. */
const NARROW_PX = 8;

type Size = readonly [heightPx: number, widthPx: number];

/**
 * Columns of zeros between images, so that a convolution sees each as if it stood alone; null where the maps are wide
 * enough or change their size.
 */
export function gapBetween(conv: GraphNode, from: Size, to: Size, kernel: readonly number[]): number | null {
  const [, left = 0, , right = 0] = intsAttribute(conv, 'pads') ?? [];
  const [, stride = 1] = intsAttribute(conv, 'strides') ?? [];
  const same = stride === 1 && left === right && from[1] === to[1];
  const fits = same && to[1] <= NARROW_PX && (kernel[1] ?? 1) > 1 && intAttribute(conv, 'group', 1) === 1;
  return fits ? left : null;
}

/** Blocked images that are put side by side. */
export interface Images {
  readonly channels: number;
  readonly size: Size;
  readonly block: number;
  /** Columns of zeros after each. */
  readonly gap: number;
}

/** [N, C, H, W] as one wide image [1, C, H, N (W + gap)]. */
export function sideBySide(writer: GraphWriter, images: string, { channels, size, block, gap }: Images): string {
  const [height, width] = size;
  const open = writer.reshape(images, [-1, channels / block, height, width, block]);
  const pads = writer.ints([0, 0, 0, 0, 0, 0, 0, 0, gap, 0]);
  const spaced = gap === 0 ? open : writer.emit('Pad', [open, pads, writer.number(0)]);
  return writer.reshape(writer.transpose(spaced, [1, 2, 0, 3, 4]), [1, channels, height, -1]);
}

/** The images of a wide one again, under the given name. */
export function apart(writer: GraphWriter, wide: string, images: Images, output: string): string {
  const { channels, size, block, gap } = images;
  const [height, width] = size;
  const open = writer.reshape(wide, [channels / block, height, -1, width + gap, block]);
  const bounds = [[0], [width], [3]].map((values) => writer.ints(values));
  const cut = writer.transpose(gap === 0 ? open : writer.emit('Slice', [open, ...bounds]), [2, 0, 1, 3, 4]);
  return writer.emit('Reshape', [cut, writer.ints([-1, channels, height, width])], {}, { output });
}
