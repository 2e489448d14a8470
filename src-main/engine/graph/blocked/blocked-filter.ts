import type { ShapeContext } from '../autodiff/shapes.ts';
import { type GraphNode, intAttribute, intsAttribute } from '../model.ts';
import { type GraphWriter, NCHWC } from './graph-writer.ts';

/** How a filter lies: [out, in, taps] as outer blocks with [in, out] innermost, or with [out] alone innermost. */
export type FilterOrder = 'OIHWBiBo' | 'OIHWBo';

/** Gives the filter of a kernel from chosen taps of weights, channels swapped. */
export type TurnedMaker = (kernel: readonly number[], taps: readonly number[]) => string;

/** The order a convolution needs; null where the blocked kernels cannot do it, or not faster. */
export function filterOrderOf(node: GraphNode, filter: readonly number[], block: number): FilterOrder | null {
  if (node.op !== 'Conv' || node.domain !== '' || filter.length !== 4 || !isSmall(node, filter)) return null;
  const autoPad = node.attributes.auto_pad;
  if (autoPad?.kind === 'string' && autoPad.value !== 'NOTSET') return null;
  const [out = 0, into = 0] = filter;
  const group = intAttribute(node, 'group', 1);
  const whole = (channels: number): boolean => channels % block === 0;
  if (!whole(out)) return null;
  if (group === 1) return into < block ? 'OIHWBo' : whole(into) ? 'OIHWBiBo' : null;
  if (into === 1 && out === group) return 'OIHWBo';
  return whole(into) && whole(out / group) ? 'OIHWBiBo' : null;
}

/** Longest side of a window, holes included, that the blocked kernels are made for. */
const WINDOW_PX = 64;
const LONGEST_KERNEL = 16;

/** False for a kernel as large as a map, which matrix kernels do faster. */
function isSmall(conv: GraphNode, filter: readonly number[]): boolean {
  const dilations = intsAttribute(conv, 'dilations') ?? [];
  const sides = filter.slice(2);
  return sides.every((size, i) => size <= LONGEST_KERNEL && (size - 1) * (dilations[i] ?? 1) < WINDOW_PX);
}

/**
 * Weights [O, I, kh, kw] in the order the blocked convolution reads them. O is a multiple of the block; in the order
 * OIHWBiBo so is I. Both passes are onnxruntime's own reordering of images: its fastest transposition, on all threads.
 */
export function blockedFilter(
  writer: GraphWriter,
  weight: string,
  dims: readonly number[],
  order: FilterOrder,
): string {
  const [out = 1, into = 1, ...kernel] = dims;
  const taps = kernel.reduce((product, size) => product * size, 1);
  const inner = order === 'OIHWBiBo' && taps > 1;
  // As `out` images of `into` channels: [out][in / b][taps][b of in].
  const first = inner ? reorder(writer, writer.reshape(weight, [out, into, 1, taps])) : weight;
  // As one image of `out` channels: [out / b][in / b][taps][b of in][b of out].
  return writer.reshape(reorder(writer, writer.reshape(first, [1, out, into, taps])), dims);
}

/** Weights [I, O, kh, kw] as rows of b x b numbers, [b of I, b of O]. */
export interface FilterRows {
  readonly name: string;
  /** Which row holds a tap of the given blocks of channels. */
  readonly rowOf: (ins: number, outs: number, tap: number) => number;
}

/**
 * The blocked filter of a kernel that has its channels swapped and the given taps in the given order (all of them
 * backwards: the image gradient's), from the rows of the weights [I, O, kh, kw]. I and O are multiples of the block.
 */
export function turnedFilter(
  writer: GraphWriter,
  { name, rowOf }: FilterRows,
  dims: readonly number[],
  block: number,
  kernel: readonly number[],
  taps: readonly number[],
): string {
  const [into = 1, out = 1] = dims;
  const ins = into / block;
  const blocks = Array.from({ length: (out / block) * ins }, (_, i) => [i % ins, Math.floor(i / ins)] as const);
  const places = blocks.flatMap(([i, o]) => taps.map((tap) => rowOf(i, o, tap)));
  return writer.reshape(gathered(writer, name, places), [out, into, ...kernel]);
}

/** Rows of weights in plain order: [I / b, O / b, taps]. */
export function filterRows(writer: GraphWriter, weight: string, dims: readonly number[], block: number): FilterRows {
  const [into = 1, out = 1, height = 1, width = 1] = dims;
  const taps = height * width;
  // As one image of `into` channels: [I / b][O][taps][b of I].
  const first = reorder(writer, writer.reshape(weight, [1, into, out, taps]));
  // As images of one block of the other channels: [I / b][O / b][taps][b of I][b of O].
  const images = writer.reshape(first, [(into / block) * (out / block), block, taps, block]);
  const name = writer.reshape(reorder(writer, images), [-1, block * block]);
  return { name, rowOf: (i, o, tap) => (i * (out / block) + o) * taps + tap };
}

/** `blockedFilter` in the order OIHWBiBo, of weights [O, I, kh, kw] that are held as [O, I / b, taps, b] (`holdFilters`). */
export function blockedHeldFilter(writer: GraphWriter, held: string, dims: readonly number[], block: number): string {
  const [out = 1, into = 1, height = 1, width = 1] = dims;
  // As one image of `out` channels: [O / b][I / b][taps][b of I][b of O].
  const image = writer.reshape(held, [1, out, (into / block) * height * width, block]);
  return writer.reshape(reorder(writer, image), dims);
}

/**
 * Rows of the weights [I, O, kh, kw] from their blocked filter in the order OIHWBiBo: with the Gather of `turnedFilter` two
 * passes over rows of b x b numbers. A single one over rows of b numbers, from where they are held, takes longer: each of
 * them lies in another page of memory.
 */
export function rowsOfBlocked(writer: GraphWriter, filter: string, dims: readonly number[], block: number): FilterRows {
  const [, out = 1, height = 1, width = 1] = dims;
  // As images of `block` channels and as many places: each row turned round.
  const images = writer.reshape(filter, [-1, block, block, 1]);
  const name = writer.reshape(reorder(writer, images), [-1, block * block]);
  return { name, rowOf: (i, o, tap) => (i * (out / block) + o) * height * width + tap };
}

function gathered(writer: GraphWriter, rows: string, places: readonly number[]): string {
  return writer.emit('Gather', [rows, writer.ints(places)], { axis: { kind: 'int', value: 0 } });
}

/** Taps of a kernel backwards. */
export function allBackwards(height: number, width: number): readonly number[] {
  return Array.from({ length: height * width }, (_, i) => height * width - 1 - i);
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
