import type { ShapeContext } from '../autodiff/shapes.ts';
import { type GraphNode, intsAttribute } from '../model.ts';
import { type GraphWriter, NCHWC } from './graph-writer.ts';

/** How a filter lies: [out, in, taps] as outer blocks with [in, out] innermost, or with [out] alone innermost. */
export type FilterOrder = 'OIHWBiBo' | 'OIHWBo';

/**
 * Weights [O, I, kh, kw] in the order the blocked convolution reads them. O is a multiple of the block; in the order
 * OIHWBiBo so is I. The first of the passes is onnxruntime's own reordering of images, the fastest transposition it has.
 */
export function blockedFilter(
  writer: GraphWriter,
  weight: string,
  dims: readonly number[],
  block: number,
  order: FilterOrder,
): string {
  const [out = 1, into = 1, ...kernel] = dims;
  const taps = kernel.reduce((product, size) => product * size, 1);
  // As an image of `out` channels: [out / b][in][taps][b].
  const rows = reorder(writer, writer.reshape(weight, [1, out, into, taps]));
  if (order === 'OIHWBo' || taps === 1) return writer.reshape(rows, dims);
  const open = writer.reshape(rows, [out / block, into / block, block, taps, block]);
  return writer.reshape(writer.transpose(open, [0, 1, 3, 2, 4]), dims);
}

/**
 * The same of a kernel that is turned round and has its channels swapped (the image gradient's), from the weights
 * [I, O, kh, kw] themselves: the flip moves whole blocks. I and O are multiples of the block.
 */
export function turnedFilter(writer: GraphWriter, weight: string, dims: readonly number[], block: number): string {
  const [into = 1, out = 1, ...kernel] = dims;
  const rows = filterRows(writer, weight, dims, block);
  const bounds = [[-1], [-(2 ** 31)], [2], [-1]].map((values) => writer.ints(values));
  const pointwise = kernel.every((size) => size === 1);
  const turned = pointwise ? rows : writer.emit('Slice', [rows, ...bounds]);
  return writer.reshape(turned, [out, into, ...kernel]);
}

/** Weights [I, O, kh, kw] as [O / b, I / b, taps, b of I, b of O], the taps in their own order. */
export function filterRows(writer: GraphWriter, weight: string, dims: readonly number[], block: number): string {
  const [into = 1, out = 1, ...kernel] = dims;
  const taps = kernel.reduce((product, size) => product * size, 1);
  // As `into` images of `out` channels: [in][out / b][taps][b].
  const rows = reorder(writer, writer.reshape(weight, [into, out, 1, taps]));
  const open = writer.reshape(rows, [into / block, block, out / block, taps, block]);
  return writer.transpose(open, [2, 0, 3, 1, 4]);
}

/** The weights that a filter is the turned form of (all taps reversed, channels swapped), null where it is none. */
export function turnedFrom(
  filter: string,
  makers: ReadonlyMap<string, GraphNode>,
  { dimsOf, intsOf }: ShapeContext,
): string | null {
  const swap = makers.get(filter);
  if (swap?.op !== 'Transpose' || intsAttribute(swap, 'perm')?.join() !== '1,0,2,3') return null;
  const [inner = ''] = swap.inputs;
  const pointwise =
    dimsOf(inner)
      ?.slice(2)
      .every((size) => size === 1) === true;
  if (pointwise) return inner;
  const flip = makers.get(inner);
  if (flip?.op !== 'Slice') return null;
  const [weight = '', starts = '', ends = '', axes = '', steps = ''] = flip.inputs;
  const isFlip =
    intsOf(starts)?.join() === '-1,-1' &&
    intsOf(ends)?.every((end) => end < -(2 ** 30)) === true &&
    intsOf(axes)?.join() === '2,3' &&
    intsOf(steps)?.join() === '-1,-1';
  return isFlip ? weight : null;
}

/** N, C, H, W to N, C / b, H, W, b. */
export function reorder(writer: GraphWriter, value: string, output?: string): string {
  const named = output === undefined ? { domain: NCHWC } : { domain: NCHWC, output };
  return writer.emit('ReorderInput', [value], {}, named);
}
