import { type GraphNode, intAttribute, intsAttribute } from '../model.ts';
import { imageOf, type ShapeContext, type Window } from './shapes.ts';
import type { Tape } from './tape.ts';

/**
 * dW of a two-dimensional convolution, [O, C / group, kernel]. It is a convolution itself: of the images with the gradient
 * as the kernel, where images stand for channels and stride and dilation change places. With the channels of an image
 * last, channels that lie beside each other are places of a row (of W x C places), so that one convolution gives all
 * taps and channels. onnxruntime gathers what a tap sees block by block just before its matrix kernel reads it, on all
 * threads; as matrix products the images would be copied once for every tap. Of filters that are held in blocks it is
 * written anew (`blockedWeightGradient`).
 */
export function weightGradient(tape: Tape, image: string, weight: string, dy: string, window: Window): string {
  const dims = tape.shape(weight).map(Number);
  const [out = 1, perGroup = 1, ...kernel] = dims;
  const { group } = window;
  if (group === 1 && kernel.every((size) => size === 1)) return pointwise(tape, image, weight, dy, window);
  const together = groupsTogether(group, perGroup);
  const merged = { ...window, group: group / together };
  const found = everyTap(tape, image, dy, merged, [out, perGroup * together, ...kernel]);
  if (together === 1) return found;
  // Of what all of these groups' outputs and inputs gave, each group's own.
  const pairs = tape.emit('Reshape', [
    found,
    tape.ints([-1, together, out / group, together, perGroup, kernel.reduce((p, d) => p * d, 1)]),
  ]);
  const own = Float32Array.from({ length: together ** 2 }, (_, i) => Number(i % (together + 1) === 0));
  const kept = tape.emit('Mul', [pairs, tape.floats([together, 1, together, 1, 1], own)]);
  return tape.emit('Reshape', [tape.sum(kept, [3], false), tape.ints(dims)]);
}

/** Channels of a group below which gathering them one by one costs more than products that nobody needs. */
const CHANNELS_TOGETHER = 8;

/** How many groups of few channels are taken as one: a divisor of their number. */
function groupsTogether(group: number, perGroup: number): number {
  let together = Math.min(group, Math.max(1, Math.floor(CHANNELS_TOGETHER / perGroup)));
  while (group % together !== 0) together--;
  return together;
}

/** dW of `dims` where images are convolved with their gradient. */
function everyTap(tape: Tape, image: string, dy: string, window: Window, dims: readonly number[]): string {
  const [out = 1, perGroup = 1, ...kernel] = dims;
  const { group, strides, dilations, pads } = window;
  const sizes = imageOf(tape.shape(image));
  const kernelShape = imageOf(tape.shape(dy));
  const flat = tape.ints([1, -1, sizes[0] ?? 1, (sizes[1] ?? 1) * perGroup]);
  const places = tape.emit('Reshape', [channelsLast(tape, image, group, perGroup), flat]);
  // Rows and columns that no window of the forward convolution reached give taps too many: cut off below.
  const ends = kernel.map((size, i) => {
    const reach = (size - 1) * (dilations[i] ?? 1) + (strides[i] ?? 1) * ((kernelShape[i] ?? 1) - 1) + 1;
    return Math.max(0, reach - (sizes[i] ?? 1) - (pads[i] ?? 0));
  });
  const [top = 0, left = 0] = pads;
  const turned = tape.emit('Transpose', [dy], { perm: [1, 0, 2, 3] });
  const taps = tape.emit('Conv', [places, turned], {
    kernel_shape: kernelShape,
    strides: [dilations[0] ?? 1, 1],
    dilations: [strides[0] ?? 1, (strides[1] ?? 1) * perGroup],
    pads: [top, left * perGroup, ends[0] ?? 0, (ends[1] ?? 0) * perGroup],
    group,
  });
  const [rows = 1, columns = 1] = imageOf(tape.shape(taps));
  const found = tape.emit('Reshape', [taps, tape.ints([out, rows, columns / perGroup, perGroup])]);
  const [kernelHeight = 1, kernelWidth = 1] = kernel;
  const bounds = [
    [0, 0],
    [kernelHeight, (kernelWidth - 1) * (dilations[1] ?? 1) + 1],
    [1, 2],
    [1, dilations[1] ?? 1],
  ].map((values) => tape.ints(values));
  const whole = rows === kernelHeight && columns === kernelWidth * perGroup;
  const wanted = whole ? found : tape.emit('Slice', [found, ...bounds]);
  const byTap = tape.emit('Reshape', [wanted, tape.ints([out, -1, perGroup])]);
  const byChannel = perGroup === 1 ? byTap : tape.emit('Transpose', [byTap], { perm: [0, 2, 1] });
  return tape.emit('Reshape', [byChannel, tape.ints(dims)]);
}

/** [group, N, H, W, C / group], less axes of one. */
function channelsLast(tape: Tape, image: string, group: number, perGroup: number): string {
  if (group === 1) return tape.emit('Transpose', [image], { perm: [0, 2, 3, 1] });
  if (perGroup === 1) return tape.emit('Transpose', [image], { perm: [1, 0, 2, 3] });
  // Two moves of whole axes, which onnxruntime does far faster than one of all five.
  const [height = 1, width = 1] = imageOf(tape.shape(image));
  const grouped = tape.emit('Reshape', [image, tape.ints([-1, perGroup, height * width])]);
  const last = tape.emit('Transpose', [grouped], { perm: [0, 2, 1] });
  const images = tape.emit('Reshape', [last, tape.ints([-1, group, height * width * perGroup])]);
  return tape.emit('Transpose', [images], { perm: [1, 0, 2] });
}

/** One matrix product over all images and places. */
function pointwise(tape: Tape, image: string, weight: string, dy: string, window: Window): string {
  const [out = 1, channels = 1] = tape.shape(weight).map(Number);
  const rows = tape.emit('Transpose', [dy], { perm: [1, 0, 2, 3] });
  const columns = seen(tape, channelsLast(tape, image, 1, channels), window, imageOf(tape.shape(dy)));
  const product = tape.emit('MatMul', [
    tape.emit('Reshape', [rows, tape.ints([out, -1])]),
    tape.emit('Reshape', [columns, tape.ints([-1, channels])]),
  ]);
  return tape.emit('Reshape', [product, tape.ints([out, channels, 1, 1])]);
}

/** The places [N, H, W, C] that a kernel of one tap sees, zeros on the padding. */
function seen(tape: Tape, last: string, { pads, strides }: Window, out: readonly number[]): string {
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  const border = [0, top, left, 0, 0, bottom, right, 0];
  const padded = pads.every((pad) => pad === 0) ? last : tape.emit('Pad', [last, tape.ints(border), tape.scalar(0)]);
  if (strides.every((stride) => stride === 1)) return padded;
  const ends = out.map((size, i) => (size - 1) * (strides[i] ?? 1) + 1);
  return tape.emit('Slice', [padded, ...[[0, 0], ends, [1, 2], strides].map((values) => tape.ints(values))]);
}

/** True for the convolution of `weightGradient`: its image has the batch where channels are, folded there by a Reshape. */
export function isWeightGradient(
  node: GraphNode,
  makers: ReadonlyMap<string, GraphNode>,
  { intsOf }: Pick<ShapeContext, 'intsOf'>,
): boolean {
  if (node.op !== 'Conv' || node.domain !== '') return false;
  const fold = makers.get(node.inputs[0] ?? '');
  return (
    fold?.op === 'Reshape' &&
    intsOf(fold.inputs[1] ?? '')
      ?.slice(0, 2)
      .join() === '1,-1'
  );
}

/** A weight gradient as `weightGradient` writes it for one group and kernels of several taps. */
export interface WrittenGradient {
  /** The images [N, C, H, W]. */
  readonly image: string;
  /** The convolution; its filter is dY with images for channels, [O, N, H, W]. */
  readonly conv: GraphNode;
  /** What cuts off and picks taps, from [O, rows, columns, C]; null where all of them are wanted. */
  readonly cut: GraphNode | null;
}

/** What the last node of a weight gradient was made of; null where it is none, or not of that form. */
export function writtenGradient(
  last: GraphNode,
  makers: ReadonlyMap<string, GraphNode>,
  shapes: Pick<ShapeContext, 'intsOf'>,
): WrittenGradient | null {
  const before = (node: GraphNode | undefined, op: string): GraphNode | undefined => {
    const maker = makers.get(node?.inputs[0] ?? '');
    return maker?.op === op ? maker : undefined;
  };
  const swap = last.op === 'Reshape' ? before(last, 'Transpose') : undefined;
  if (swap === undefined || intsAttribute(swap, 'perm')?.join() !== '0,2,1') return null;
  const byTap = before(swap, 'Reshape');
  const cut = before(byTap, 'Slice') ?? null;
  const conv = before(before(cut ?? byTap, 'Reshape'), 'Conv');
  if (conv === undefined || intAttribute(conv, 'group', 1) !== 1 || !isWeightGradient(conv, makers, shapes))
    return null;
  const lastAxis = before(before(conv, 'Reshape'), 'Transpose');
  const [image] =
    lastAxis === undefined || intsAttribute(lastAxis, 'perm')?.join() !== '0,2,3,1' ? [] : lastAxis.inputs;
  return image === undefined ? null : { image, conv, cut };
}
