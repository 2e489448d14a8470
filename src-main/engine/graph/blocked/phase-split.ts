import { windowOf } from '../autodiff/shapes.ts';
import { type GraphAttribute, type GraphNode, intAttribute } from '../model.ts';
import type { TurnedMaker } from './blocked-filter.ts';
import { type GraphWriter, NCHWC } from './graph-writer.ts';

/** One axis of a transposed convolution: what its output places of one remainder by the stride read. */
interface Phase {
  /** Taps of the kernel, in the order a convolution meets them. */
  readonly taps: readonly number[];
  readonly before: number;
  readonly after: number;
}

/** A transposed convolution with a stride as ordinary ones. */
export interface PhaseSplit {
  readonly stride: readonly [number, number];
  readonly phases: readonly [readonly Phase[], readonly Phase[]];
  /** Shape of the weights: [in, out, kh, kw]. */
  readonly weight: readonly number[];
  /** Height and width of what comes out. */
  readonly size: readonly [number, number];
}

/**
 * A transposed convolution with stride s writes each of its s x s interleaved parts from taps of its own: each part is an
 * ordinary convolution without stride, and nothing is multiplied by the zeros between (Shi et al., 2016, "Is the
 * deconvolution layer the same as a convolutional layer?", arXiv 1609.07009).
 *
 * @returns null where the node has another form, or a part reads no tap at all.
 */
export function phaseSplitOf(
  node: GraphNode,
  dy: readonly number[],
  weight: readonly number[],
  out: readonly number[],
): PhaseSplit | null {
  if (node.op !== 'ConvTranspose' || node.domain !== '' || node.inputs.length !== 2 || weight.length !== 4) return null;
  const autoPad = node.attributes.auto_pad;
  if (autoPad?.kind === 'string' && autoPad.value !== 'NOTSET') return null;
  const { kernel, strides, dilations, pads } = windowOf(node, weight);
  if (intAttribute(node, 'group', 1) !== 1 || dilations.some((dilation) => dilation !== 1)) return null;
  const along = (axis: 0 | 1): Phase[] | null =>
    phasesAlong(kernel[axis] ?? 1, strides[axis] ?? 1, pads[axis] ?? 0, dy[axis + 2] ?? 0, out[axis + 2] ?? 0);
  const [rows, columns] = [along(0), along(1)];
  const [sh = 1, sw = 1] = strides;
  if (rows === null || columns === null || sh * sw === 1) return null;
  return { stride: [sh, sw], phases: [rows, columns], weight, size: [out[2] ?? 0, out[3] ?? 0] };
}

/** Place y = stride u + phase reads gradient u + lead - m through tap first + stride m. */
function phasesAlong(kernel: number, stride: number, pad: number, from: number, to: number): Phase[] | null {
  const places = Math.ceil(to / stride);
  const phases = Array.from({ length: stride }, (_, phase): Phase => {
    const first = (phase + pad) % stride;
    const taps: number[] = [];
    for (let tap = first; tap < kernel; tap += stride) taps.unshift(tap);
    const lead = (phase + pad - first) / stride;
    return { taps, before: taps.length - 1 - lead, after: places + lead - from };
  });
  return phases.every(({ taps, before, after }) => taps.length > 0 && before >= 0 && after >= 0) ? phases : null;
}

/** Writes the parts and puts them together, blocked, under the given name. */
export function writePhases(
  writer: GraphWriter,
  dy: string,
  filterOf: TurnedMaker,
  { stride, phases, weight: dims, size }: PhaseSplit,
  block: number,
  output: string,
): string {
  const [, out = 1, , width = 1] = dims;
  const places = [0, 1].map((axis) => Math.ceil((size[axis] ?? 0) / (stride[axis] ?? 1)));
  const ints = (value: readonly number[]) => ({ kind: 'ints', value }) as const;
  const join = (parts: readonly string[], axis: number): string => {
    return writer.emit('Concat', parts, { axis: { kind: 'int', value: axis } });
  };
  const rows = phases[0].map((row) => {
    const parts = phases[1].map((column) => {
      const taps = row.taps.flatMap((i) => column.taps.map((j) => i * width + j));
      const kernel = [row.taps.length, column.taps.length];
      const attributes: Record<string, GraphAttribute> = {
        kernel_shape: ints(kernel),
        pads: ints([row.before, column.before, row.after, column.after]),
        group: { kind: 'int', value: 1 },
      };
      const inputs = [dy, filterOf(kernel, taps)];
      const part = writer.emit('Conv', inputs, attributes, { domain: NCHWC });
      return writer.reshape(part, [-1, 1, places[1] ?? 1, 1, block]);
    });
    return join(parts, 3);
  });
  const full = [(places[0] ?? 1) * stride[0], (places[1] ?? 1) * stride[1]];
  const whole = writer.reshape(join(rows, 1), [-1, out / block, ...full, block]);
  const fits = full[0] === size[0] && full[1] === size[1];
  const bounds = [[0, 0], size, [2, 3]].map((values) => writer.ints(values));
  const cut = fits ? whole : writer.emit('Slice', [whole, ...bounds]);
  return writer.emit('Reshape', [cut, writer.ints([-1, out, ...size])], {}, { output });
}
