import { type GraphNode, intAttribute, intsAttribute } from '../model.ts';
import type { GradientRule } from './rules-elementwise.ts';
import { axesOf, axisOf, type Dims } from './shapes.ts';
import type { Tape } from './tape.ts';

const x = (node: GraphNode, position = 0): string => node.inputs[position] ?? '';

/** The gradient in the shape of the first input: for operators that only rename dimensions. */
const back: GradientRule = (tape, node, dy) => [tape.reshapeLike(dy, x(node)), null];

const transpose: GradientRule = (tape, node, dy) => {
  const rank = tape.shape(x(node)).length;
  const order = intsAttribute(node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const inverse = order.map((_, i) => order.indexOf(i));
  return [tape.emit('Transpose', [dy], { perm: inverse })];
};

/** Each input's gradient is its slice of the output's. */
const concat: GradientRule = (tape, node, dy) => {
  const axis = axisOf(intAttribute(node, 'axis', 0), tape.shape(x(node)).length);
  let start = 0;
  return node.inputs.map((input) => {
    const size = tape.shape(input)[axis];
    if (typeof size !== 'number') throw new Error('the gradient of Concat needs the joined sizes as numbers');
    const bounds = [[start], [start + size], [axis]].map((value) => tape.ints(value));
    start += size;
    return tape.emit('Slice', [dy, ...bounds]);
  });
};

/** Zeros around the slice and, for larger steps, between its elements; a backward slice is turned round first. */
const slice: GradientRule = (tape, node, dy) => {
  const dims = tape.shape(x(node));
  const bounds = sliceBounds(node, tape, dims);
  let value = dy;
  const pads = [...dims, ...dims].map(() => 0);
  for (const { axis, start, step } of bounds) {
    const size = Number(dims[axis]);
    const taken = Number(tape.shape(dy)[axis]);
    if (step < 0) value = reversed(tape, value, axis);
    const stride = Math.abs(step);
    if (stride > 1) value = spacedOut(tape, value, axis, stride);
    const first = step < 0 ? start + (taken - 1) * step : start;
    pads[axis] = first;
    pads[axis + dims.length] = size - first - ((taken - 1) * stride + 1);
  }
  return [
    tape.emit('Pad', [value, tape.ints(pads), tape.scalar(0)], {}, dims),
    ...node.inputs.slice(1).map(() => null),
  ];
};

interface AxisSlice {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
}

function sliceBounds(node: GraphNode, tape: Tape, dims: Dims): AxisSlice[] {
  const starts = tape.intsOf(x(node, 1)) ?? [];
  const axes = (node.inputs[3] ? tape.intsOf(x(node, 3)) : null) ?? starts.map((_, i) => i);
  const steps = (node.inputs[4] ? tape.intsOf(x(node, 4)) : null) ?? starts.map(() => 1);
  return starts.map((given, i) => {
    const axis = axisOf(axes[i] ?? i, dims.length);
    const size = Number(dims[axis]);
    const step = steps[i] ?? 1;
    const last = step < 0 ? size - 1 : size;
    return { axis, step, start: Math.min(last, Math.max(0, given < 0 ? given + size : given)) };
  });
}

function reversed(tape: Tape, value: string, axis: number): string {
  const bounds = [[-1], [-(2 ** 31)], [axis], [-1]].map((numbers) => tape.ints(numbers));
  return tape.emit('Slice', [value, ...bounds]);
}

/** stride - 1 zeros between neighbours along an axis. */
function spacedOut(tape: Tape, value: string, axis: number, stride: number): string {
  const dims = tape.shape(value);
  const taken = Number(dims[axis]);
  const apart = tape.emit('Unsqueeze', [value, tape.ints([axis + 1])]);
  const rank = dims.length + 1;
  const pads = Array.from({ length: 2 * rank }, (_, i) => (i === rank + axis + 1 ? stride - 1 : 0));
  const padded = tape.emit('Pad', [apart, tape.ints(pads), tape.scalar(0)]);
  const joined = dims.with(axis, taken * stride);
  if (joined.filter((dim) => typeof dim === 'string').length > 1)
    throw new Error('a strided Slice needs sizes as numbers');
  const shape = joined.map((dim) => (typeof dim === 'number' ? dim : -1));
  const interleaved = tape.emit('Reshape', [padded, tape.ints(shape)], {}, joined);
  const ends = [[0], [(taken - 1) * stride + 1], [axis]].map((numbers) => tape.ints(numbers));
  return tape.emit('Slice', [interleaved, ...ends]);
}

/** The parts of a split joined again. */
const split: GradientRule = (tape, node, _dy, all) => {
  const parts = node.outputs.map((output, i) => all[i] ?? tape.zerosLike(output));
  const axis = axisOf(intAttribute(node, 'axis', 0), tape.shape(x(node)).length);
  return [tape.emit('Concat', parts, { axis }, tape.shape(x(node))), null];
};

/** What lies inside the padding. */
const pad: GradientRule = (tape, node, dy) => {
  const mode = node.attributes.mode;
  if (mode?.kind === 'string' && mode.value !== 'constant')
    throw new Error('only padding with a constant has a gradient');
  const dims = tape.shape(x(node));
  const pads = tape.intsOf(x(node, 1)) ?? [];
  const axes = dims.flatMap((_, i) => ((pads[i] ?? 0) !== 0 || (pads[i + dims.length] ?? 0) !== 0 ? [i] : []));
  if (axes.length === 0) return [dy, null, null];
  const starts = axes.map((axis) => pads[axis] ?? 0);
  const ends = axes.map((axis) => (pads[axis] ?? 0) + Number(dims[axis]));
  return [tape.emit('Slice', [dy, tape.ints(starts), tape.ints(ends), tape.ints(axes)], {}, dims), null, null];
};

const expand: GradientRule = (tape, node, dy) => [tape.unbroadcast(dy, x(node)), null];

/** Rows chosen by index: each row gets back what its copies got. Along another axis, that axis is brought to the front. */
const gather: GradientRule = (tape, node, dy) => {
  const input = x(node);
  const rank = tape.shape(input).length;
  const axis = axisOf(intAttribute(node, 'axis', 0), rank);
  const places = x(node, 1);
  const indices = tape.emit('Unsqueeze', [places, tape.ints([-1])]);
  const added = (target: string, updates: string) =>
    tape.emit('ScatterND', [tape.zerosLike(target), indices, updates], { reduction: 'add' }, tape.shape(target));
  if (axis === 0) return [added(input, dy), null];
  const count = tape.shape(places).length;
  const front = [axis, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)];
  const moved = tape.emit('Transpose', [input], { perm: front });
  const total = rank - 1 + count;
  const chosen = Array.from({ length: count }, (_, i) => axis + i);
  const rest = Array.from({ length: total }, (_, i) => i).filter((i) => !chosen.includes(i));
  const updates = tape.emit('Transpose', [dy], { perm: [...chosen, ...rest] });
  const back = front.map((_, i) => front.indexOf(i));
  return [tape.emit('Transpose', [added(moved, updates)], { perm: back }), null];
};

/** The gradient spread over the reduced axes. */
const reduceSum: GradientRule = (tape, node, dy) => [spread(tape, node, dy), null];

const reduceMean: GradientRule = (tape, node, dy) => {
  const count = tape.emit('Div', [size(tape, x(node)), size(tape, node.outputs[0] ?? '')], {}, []);
  // Divided before it is spread: a pass over the whole less.
  return [spread(tape, node, tape.emit('Div', [dy, count])), null];
};

/** dx = dy factor(x, y), with dy and y spread over the reduced axes. */
const spreadTimes =
  (factor: (tape: Tape, input: string, result: string) => string): GradientRule =>
  (tape, node, dy) => {
    const result = spread(tape, node, node.outputs[0] ?? '');
    return [tape.emit('Mul', [spread(tape, node, dy), factor(tape, x(node), result)]), null];
  };

/** The largest (smallest) element gets all; equals share evenly, as in PyTorch's amax. */
const reduceExtremum: GradientRule = (tape, node, dy) => {
  const result = spread(tape, node, node.outputs[0] ?? '');
  const taken = tape.emit('Cast', [tape.emit('Equal', [x(node), result])], { to: 1 });
  const ties = tape.sum(taken, reducedAxes(tape, node), true);
  return [tape.emit('Div', [tape.emit('Mul', [spread(tape, node, dy), taken]), ties]), null];
};

/** The product of the others; taken apart where elements are 0, so that nothing is divided by 0. */
const reduceProd: GradientRule = (tape, node, dy) => {
  const input = x(node);
  const axes = reducedAxes(tape, node);
  const isZero = tape.emit('Equal', [input, tape.scalar(0)]);
  const filled = tape.emit('Where', [isZero, tape.scalar(1), input]);
  const product = tape.reduce('ReduceProd', filled, axes, true);
  const zeros = tape.sum(tape.emit('Cast', [isZero], { to: 1 }), axes, true);
  const are = (count: number) => tape.emit('Cast', [tape.emit('Equal', [zeros, tape.scalar(count)])], { to: 1 });
  const others = tape.emit('Mul', [tape.emit('Div', [product, filled]), are(0)]);
  const alone = tape.expandLike(tape.emit('Mul', [product, are(1)]), input);
  return [tape.emit('Mul', [spread(tape, node, dy), tape.emit('Where', [isZero, alone, others])]), null];
};

/** Number of elements as a float, known at run time. */
function size(tape: Tape, value: string): string {
  return tape.emit('Cast', [tape.emit('Size', [value], {}, [])], { to: 1 }, []);
}

function reducedAxes(tape: Tape, node: GraphNode): readonly number[] {
  const dims = tape.shape(x(node));
  return axesOf(node, tape, dims.length) ?? dims.map((_, i) => i);
}

function spread(tape: Tape, node: GraphNode, dy: string): string {
  const axes = reducedAxes(tape, node);
  const kept = intAttribute(node, 'keepdims', 1) === 1 ? dy : tape.emit('Unsqueeze', [dy, tape.ints(axes)]);
  return tape.expandLike(kept, x(node));
}

export const SHAPE_RULES: Readonly<Record<string, GradientRule>> = {
  Reshape: back,
  Flatten: back,
  Squeeze: back,
  Unsqueeze: back,
  Transpose: transpose,
  Concat: concat,
  Slice: slice,
  Gather: gather,
  Split: split,
  Pad: pad,
  Expand: expand,
  ReduceSum: reduceSum,
  ReduceMean: reduceMean,
  ReduceMax: reduceExtremum,
  ReduceMin: reduceExtremum,
  ReduceProd: reduceProd,
  ReduceL1: spreadTimes((tape, input) => tape.emit('Sign', [input])),
  ReduceL2: spreadTimes((tape, input, norm) => tape.emit('Div', [input, norm])),
  ReduceSumSquare: spreadTimes((tape, input) => tape.emit('Mul', [input, tape.scalar(2)])),
  ReduceLogSum: spreadTimes((tape, _input, log) => tape.emit('Exp', [tape.emit('Neg', [log])])),
  ReduceLogSumExp: spreadTimes((tape, input, log) => tape.emit('Exp', [tape.emit('Sub', [input, log])])),
};
