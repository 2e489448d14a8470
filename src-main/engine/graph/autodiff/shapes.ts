import type { Dimension, GraphNode } from '../model.ts';
import { intAttribute, intsAttribute } from '../model.ts';

/** A shape whose dimensions are numbers or symbols; two equal symbols are the same size. */
export type Dims = readonly Dimension[];

/** What shape inference may ask of its surroundings. */
export interface ShapeContext {
  /** Null where the value is unknown. */
  readonly dimsOf: (name: string) => Dims | null;
  /** The integers of a constant (shape, axes, starts, ...); null where the value is not a constant. */
  readonly intsOf: (name: string) => readonly number[] | null;
}

const SAME_AS_FIRST = new Set(
  (
    'Relu Tanh Sigmoid HardSigmoid Softplus Gelu Erf Exp Log Neg Sqrt Reciprocal Abs Sign Identity Cast Softmax LogSoftmax ' +
    'Dropout Not IsNaN IsInf ' +
    'BatchNormalization LayerNormalization InstanceNormalization ScatterElements LeakyRelu Clip'
  ).split(' '),
);
const BROADCAST = new Set(
  'Add Sub Mul Div Pow Max Min Greater GreaterOrEqual Less LessOrEqual Equal And Or'.split(' '),
);
const REDUCE = new Set(
  (
    'ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ' +
    'ReduceLogSumExp'
  ).split(' '),
);

/** Product of dimensions; symbols stay symbols (`N*4` for N and 4). */
export function sizeOf(dims: Dims): Dimension {
  const symbols = dims.filter((dim) => typeof dim === 'string').sort();
  const count = dims.reduce<number>((product, dim) => (typeof dim === 'number' ? product * dim : product), 1);
  if (symbols.length === 0) return count;
  return [...symbols, ...(count === 1 ? [] : [String(count)])].join('*');
}

/** Numpy's broadcasting; a symbol against 1 gives the symbol. Throws where the dimensions cannot be the same. */
export function broadcast(a: Dims, b: Dims): Dims {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1;
    const right = b[i - rank + b.length] ?? 1;
    if (left === 1) return right;
    if (right === 1 || left === right) return left;
    throw new Error(`the shapes [${a}] and [${b}] do not broadcast`);
  });
}

/** An axis counted from the front; throws outside the rank. */
export function axisOf(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank) throw new Error(`axis ${axis} lies outside a shape of rank ${rank}`);
  return positive;
}

/** The axes of a reduction, squeeze or unsqueeze: an attribute in older operator sets, an input since 13. */
export function axesOf(node: GraphNode, context: ShapeContext, rank: number): readonly number[] | null {
  const attribute = intsAttribute(node, 'axes');
  const input = node.inputs[1] ? context.intsOf(node.inputs[1]) : null;
  const axes = attribute ?? input;
  return axes === null ? null : axes.map((axis) => axisOf(axis, rank));
}

/**
 * Shapes of the outputs of one node (ONNX operator specification), for the operators the training engine knows.
 * Throws an Error naming the operator where it is not one of them or an input's shape is unknown.
 */
export function inferShapes(node: GraphNode, context: ShapeContext): readonly Dims[] {
  const first = need(node, context, 0);
  if (SAME_AS_FIRST.has(node.op)) return node.outputs.map(() => first);
  if (BROADCAST.has(node.op)) return [broadcast(first, need(node, context, 1))];
  if (REDUCE.has(node.op)) return [reduced(node, context, first)];
  if (node.op === 'Where') return [broadcast(broadcast(first, need(node, context, 1)), need(node, context, 2))];
  if (node.op === 'MatMul') return [matMul(first, need(node, context, 1))];
  if (node.op === 'Gemm') return [gemm(node, first, need(node, context, 1))];
  if (node.op === 'GlobalAveragePool') return [[...first.slice(0, 2), ...first.slice(2).map(() => 1)]];
  if (node.op === 'Shape') return [[first.length]];
  if (node.op === 'Size') return [[]];
  if (node.op === 'TopK') {
    const chosen = dimsWith(node, first, `top(${node.inputs[1]})`);
    return [chosen, chosen];
  }
  if (node.op === 'Split') return splits(node, context, first);
  if (node.op === 'Conv' || node.op === 'MaxPool' || node.op === 'AveragePool') {
    const out = windowed(node, context, first);
    return node.outputs.map(() => out);
  }
  const rearranged = rearrange(node, context, first);
  if (rearranged === null) throw new Error(`the training engine does not know the operator ${node.op}`);
  return [rearranged];
}

function need(node: GraphNode, context: ShapeContext, position: number): Dims {
  const name = node.inputs[position] ?? '';
  const dims = context.dimsOf(name);
  if (dims === null) throw new Error(`the shape of ${name}, an input of ${node.op}, is not known`);
  return dims;
}

function reduced(node: GraphNode, context: ShapeContext, dims: Dims): Dims {
  const axes = axesOf(node, context, dims.length) ?? dims.map((_, i) => i);
  const keep = intAttribute(node, 'keepdims', 1) === 1;
  return dims.flatMap((dim, i) => (axes.includes(i) ? (keep ? [1] : []) : [dim]));
}

function dimsWith(node: GraphNode, dims: Dims, size: Dimension): Dims {
  const axis = axisOf(intAttribute(node, 'axis', -1), dims.length);
  return dims.map((dim, i) => (i === axis ? size : dim));
}

function matMul(a: Dims, b: Dims): Dims {
  if (a.length < 2 || b.length < 2) throw new Error('matrix products of vectors are not supported: reshape them');
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2));
  return [...batch, a.at(-2) ?? 1, b.at(-1) ?? 1];
}

function gemm(node: GraphNode, a: Dims, b: Dims): Dims {
  const rows = a[intAttribute(node, 'transA', 0) === 1 ? 1 : 0] ?? 1;
  const columns = b[intAttribute(node, 'transB', 0) === 1 ? 0 : 1] ?? 1;
  return [rows, columns];
}

/** Output shape of Conv, MaxPool and AveragePool. */
function windowed(node: GraphNode, context: ShapeContext, dims: Dims): Dims {
  const weight = node.op === 'Conv' ? need(node, context, 1) : null;
  const window = windowOf(node, weight);
  const spatial = dims.slice(2).map((size, i) => {
    if (typeof size !== 'number') throw new Error(`${node.op} needs its image size as a number`);
    return windowsAlong(node, window, i, size);
  });
  return [dims[0] ?? 1, weight ? (weight[0] ?? 1) : (dims[1] ?? 1), ...spatial];
}

/**
 * Places of a window along an axis: floor((in + pads - dilated kernel) / stride) + 1. With `ceil_mode` one more where a
 * part is left over, unless that window would begin on the padding behind the image (ONNX operator MaxPool-22).
 */
export function windowsAlong(node: GraphNode, window: Window, axis: number, sizePx: number): number {
  const { kernel, strides, dilations, pads } = window;
  const [before, after, stride] = [pads[axis] ?? 0, pads[axis + kernel.length] ?? 0, strides[axis] ?? 1];
  const reach = (dilations[axis] ?? 1) * ((kernel[axis] ?? 1) - 1) + 1;
  const steps = (sizePx + before + after - reach) / stride;
  if (intAttribute(node, 'ceil_mode', 0) !== 1) return Math.floor(steps) + 1;
  const last = Math.ceil(steps);
  return last * stride >= sizePx + before ? last : last + 1;
}

/** Image axes of an N, C, ... shape as numbers; the shape rules have made sure that they are. */
export const imageOf = (dims: Dims): number[] => dims.slice(2).map(Number);

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begins, then ends. */
  readonly pads: readonly number[];
  readonly group: number;
}

/** The window of a Conv or pooling node with its defaults filled in. Throws for auto_pad. */
export function windowOf(node: GraphNode, weight: Dims | null): Window {
  const auto = node.attributes.auto_pad;
  if (auto?.kind === 'string' && auto.value !== 'NOTSET') throw new Error(`${node.op} with auto_pad is not supported`);
  const fromWeight = weight?.slice(2).map(Number) ?? null;
  const kernel = intsAttribute(node, 'kernel_shape') ?? fromWeight ?? [];
  const ones = kernel.map(() => 1);
  return {
    kernel,
    strides: intsAttribute(node, 'strides') ?? ones,
    dilations: intsAttribute(node, 'dilations') ?? ones,
    pads: intsAttribute(node, 'pads') ?? [...kernel, ...kernel].map(() => 0),
    group: intAttribute(node, 'group', 1),
  };
}

function rearrange(node: GraphNode, context: ShapeContext, dims: Dims): Dims | null {
  const ints = (position: number): readonly number[] | null =>
    node.inputs[position] ? context.intsOf(node.inputs[position]) : null;
  switch (node.op) {
    case 'Transpose': {
      const order = intsAttribute(node, 'perm') ?? dims.map((_, i) => dims.length - 1 - i);
      return order.map((i) => dims[i] ?? 1);
    }
    case 'Reshape':
      return reshaped(dims, ints(1));
    case 'Flatten': {
      const axis = intAttribute(node, 'axis', 1);
      return [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))];
    }
    case 'Concat': {
      const axis = axisOf(intAttribute(node, 'axis', 0), dims.length);
      const parts = node.inputs.map((_, position) => need(node, context, position)[axis] ?? 1);
      return dims.map((dim, i) => (i === axis ? sumOf(parts) : dim));
    }
    case 'Squeeze': {
      const axes = axesOf(node, context, dims.length) ?? dims.flatMap((dim, i) => (dim === 1 ? [i] : []));
      return dims.filter((_, i) => !axes.includes(i));
    }
    case 'Unsqueeze': {
      const count = (intsAttribute(node, 'axes') ?? ints(1) ?? []).length;
      const axes = axesOf(node, context, dims.length + count) ?? [];
      const rest = [...dims];
      return Array.from({ length: dims.length + count }, (_, i) => (axes.includes(i) ? 1 : (rest.shift() ?? 1)));
    }
    case 'Gather': {
      const axis = axisOf(intAttribute(node, 'axis', 0), dims.length);
      return [...dims.slice(0, axis), ...need(node, context, 1), ...dims.slice(axis + 1)];
    }
    case 'Expand': {
      const shape = ints(1);
      if (shape === null) throw new Error('Expand needs a constant shape');
      return broadcast(dims, shape);
    }
    case 'Slice':
      return sliced(dims, { starts: ints(1), ends: ints(2), axes: ints(3), steps: ints(4) });
    case 'Pad': {
      const pads = ints(1);
      if (pads === null) throw new Error('Pad needs constant pads');
      return dims.map((dim, i) => {
        const extra = (pads[i] ?? 0) + (pads[i + dims.length] ?? 0);
        if (extra === 0) return dim;
        if (typeof dim !== 'number') throw new Error('Pad needs its size as a number');
        return dim + extra;
      });
    }
    default:
      return null;
  }
}

function sumOf(parts: Dims): Dimension {
  if (parts.every((part) => typeof part === 'number')) return parts.reduce((sum, part) => sum + part, 0);
  return `(${parts.join('+')})`;
}

function reshaped(dims: Dims, shape: readonly number[] | null): Dims {
  if (shape === null) throw new Error('Reshape needs a constant shape');
  const known = shape.map((size, i) => (size === 0 ? (dims[i] ?? 1) : size));
  const open = known.indexOf(-1);
  if (open < 0) return known;
  return known.map((size, i) => (i === open ? quotient(dims, known.toSpliced(open, 1)) : size));
}

/** The size of the one open dimension of a reshape: symbols that stay in place cancel. */
function quotient(dims: Dims, taken: Dims): Dimension {
  const symbols = dims.filter((dim) => typeof dim === 'string');
  for (const dim of taken) {
    if (typeof dim === 'string') symbols.splice(symbols.indexOf(dim), 1);
  }
  const numbers = (list: Dims) => list.reduce<number>((p, dim) => (typeof dim === 'number' ? p * dim : p), 1);
  const count = numbers(dims) / numbers(taken);
  return symbols.length === 0 ? count : sizeOf([...symbols, count]);
}

interface SliceBounds {
  readonly starts: readonly number[] | null;
  readonly ends: readonly number[] | null;
  readonly axes: readonly number[] | null;
  readonly steps: readonly number[] | null;
}

function sliced(dims: Dims, { starts, ends, axes, steps }: SliceBounds): Dims {
  if (starts === null || ends === null) throw new Error('Slice needs constant bounds');
  const out = [...dims];
  for (const [i, start] of starts.entries()) {
    const axis = axisOf(axes?.[i] ?? i, dims.length);
    const size = dims[axis];
    if (typeof size !== 'number') throw new Error('Slice needs its size as a number');
    const step = steps?.[i] ?? 1;
    if (step === 0) throw new Error('Slice with a step of 0');
    const clamp = (n: number, low: number, high: number) => Math.min(high, Math.max(low, n < 0 ? n + size : n));
    const first = step > 0 ? clamp(start, 0, size) : clamp(start, 0, size - 1);
    const last = step > 0 ? clamp(ends[i] ?? size, 0, size) : clamp(ends[i] ?? -size - 1, -1, size - 1);
    out[axis] = Math.max(0, Math.ceil((last - first) / step));
  }
  return out;
}

/** Sizes given, or equal parts. */
function splits(node: GraphNode, context: ShapeContext, dims: Dims): readonly Dims[] {
  const axis = axisOf(intAttribute(node, 'axis', 0), dims.length);
  const size = dims[axis];
  const given = intsAttribute(node, 'split') ?? (node.inputs[1] ? context.intsOf(node.inputs[1]) : null);
  if (given === null && typeof size !== 'number') throw new Error('Split needs its size as a number');
  const part = Math.ceil(Number(size) / node.outputs.length);
  return node.outputs.map((_, i) => dims.with(axis, given?.[i] ?? Math.min(part, Number(size) - i * part)));
}
