import { ELEMENT, type GraphNode } from '../model.ts';
import { type Dims, imageOf, windowOf } from './shapes.ts';
import type { Tape } from './tape.ts';

/** One axis of a pooling. Places are counted on the padded image. */
interface Axis {
  readonly out: number;
  readonly size: number;
  readonly stride: number;
  readonly before: number;
  readonly after: number;
  /** Where each tap of the kernel begins. */
  readonly taps: readonly number[];
  /** Places of one remainder by the stride. */
  readonly places: number;
}

/**
 * dX of MaxPool: each maximum gets the gradient of its window, the first of equal ones all of it (as PyTorch and the
 * indices of ONNX choose); windows that overlap add up.
 *
 * For every tap of the kernel, the places that it saw are compared with the maxima. With a stride the taps of one
 * remainder write places of that remainder only, so that nothing is scattered: the remainders are put together at last.
 * (Indices and ScatterElements, the other way, run on one thread of the CPU and on no GPU provider.)
 */
export function maxPoolGradient(tape: Tape, node: GraphNode, dy: string): string {
  const [input = ''] = node.inputs;
  const [best = ''] = node.outputs;
  const axes = axesOf(node, tape.shape(input), tape.shape(best));
  const pads = [0, 0, ...axes.map(({ before }) => before), 0, 0, ...axes.map(({ after }) => after)];
  const unpadded = pads.every((pad) => pad === 0);
  const seen = unpadded ? input : tape.emit('Pad', [input, tape.ints(pads), tape.scalar(Number.NEGATIVE_INFINITY)]);
  const all = everyTap(axes);
  const byPhase = new Map<string, string>();
  let left = dy;
  for (const [i, taps] of all.entries()) {
    const share = tape.emit('Mul', [equal(tape, tapOf(tape, seen, axes, taps), best), left]);
    // The first of equal ones takes all of it and leaves zero.
    if (i < all.length - 1) left = tape.emit('Sub', [left, share]);
    const phase = taps.map((tap, axis) => tap % (axes[axis]?.stride ?? 1)).join();
    const among = placed(tape, share, axes, taps);
    const sum = byPhase.get(phase);
    byPhase.set(phase, sum === undefined ? among : tape.emit('Add', [sum, among]));
  }
  return cropped(tape, together(tape, byPhase, axes, []), axes);
}

function axesOf(node: GraphNode, image: Dims, out: Dims): readonly Axis[] {
  const { kernel, strides, dilations, pads } = windowOf(node, null);
  const [sizes, outs] = [imageOf(image), imageOf(out)];
  return kernel.map((count, i) => {
    const [size = 1, places = 1, stride = 1, before = 0] = [sizes[i], outs[i], strides[i], pads[i]];
    const taps = Array.from({ length: count }, (_, tap) => tap * (dilations[i] ?? 1));
    const end = (taps.at(-1) ?? 0) + (places - 1) * stride + 1;
    const lead = Math.floor((taps.at(-1) ?? 0) / stride);
    return {
      ...{ out: places, size, stride, before, taps },
      after: Math.max(0, end - before - size),
      places: Math.max(Math.ceil((before + size) / stride), places + lead),
    };
  });
}

/** Taps of the whole kernel, row by row. */
function everyTap(axes: readonly Axis[]): readonly (readonly number[])[] {
  return axes.reduce<readonly (readonly number[])[]>(
    (all, { taps }) => all.flatMap((before) => taps.map((tap) => [...before, tap])),
    [[]],
  );
}

/** What one tap of all windows saw. */
function tapOf(tape: Tape, image: string, axes: readonly Axis[], taps: readonly number[]): string {
  const ends = axes.map(({ out, stride }, i) => (taps[i] ?? 0) + (out - 1) * stride + 1);
  const bounds = [taps, ends, axes.map((_, i) => i + 2), axes.map(({ stride }) => stride)];
  return tape.emit('Slice', [image, ...bounds.map((values) => tape.ints(values))]);
}

function equal(tape: Tape, a: string, b: string): string {
  return tape.emit('Cast', [tape.emit('Equal', [a, b])], { to: ELEMENT.float });
}

/** The share of one tap among all places of its remainder. */
function placed(tape: Tape, share: string, axes: readonly Axis[], taps: readonly number[]): string {
  const leads = axes.map(({ stride }, i) => Math.floor((taps[i] ?? 0) / stride));
  const rest = axes.map(({ places, out }, i) => places - out - (leads[i] ?? 0));
  if ([...leads, ...rest].every((count) => count === 0)) return share;
  return tape.emit('Pad', [share, tape.ints([0, 0, ...leads, 0, 0, ...rest]), tape.scalar(0)]);
}

/** The places of all remainders that begin with those given, [N, C, places, 1, places, 1, ...], in turn. */
function together(
  tape: Tape,
  byPhase: ReadonlyMap<string, string>,
  axes: readonly Axis[],
  phase: readonly number[],
): string {
  if (phase.length === axes.length) {
    const [known = ''] = byPhase.values();
    // A kernel shorter than its stride never sees some places.
    const sum = byPhase.get(phase.join()) ?? tape.emit('Mul', [known, tape.scalar(0)]);
    return tape.emit('Reshape', [sum, tape.ints([0, 0, ...axes.flatMap(({ places }) => [places, 1])])]);
  }
  const stride = axes[phase.length]?.stride ?? 1;
  const parts = Array.from({ length: stride }, (_, i) => together(tape, byPhase, axes, [...phase, i]));
  const [only = ''] = parts;
  return parts.length === 1 ? only : tape.emit('Concat', parts, { axis: 2 * phase.length + 3 });
}

/** The image without its border. */
function cropped(tape: Tape, interleaved: string, axes: readonly Axis[]): string {
  const full = axes.map(({ places, stride }) => places * stride);
  const image = tape.emit('Reshape', [interleaved, tape.ints([0, 0, ...full])]);
  if (axes.every(({ before, size }, i) => before === 0 && size === full[i])) return image;
  const bounds = [
    axes.map(({ before }) => before),
    axes.map(({ before, size }) => before + size),
    axes.map((_, i) => i + 2),
  ];
  return tape.emit('Slice', [image, ...bounds.map((values) => tape.ints(values))]);
}
