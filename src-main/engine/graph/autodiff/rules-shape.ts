import { type GraphNode, intAttribute, intsAttribute } from '../model.ts';
import type { GradientRule } from './rules-elementwise.ts';
import { axesOf, axisOf } from './shapes.ts';
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

/** Zeros around the slice. */
const slice: GradientRule = (tape, node, dy) => {
  const dims = tape.shape(x(node));
  const starts = tape.intsOf(x(node, 1)) ?? [];
  const axes = (node.inputs[3] ? tape.intsOf(x(node, 3)) : null) ?? starts.map((_, i) => i);
  const steps = (node.inputs[4] ? tape.intsOf(x(node, 4)) : null) ?? starts.map(() => 1);
  if (steps.some((step) => step !== 1)) throw new Error('the gradient of a strided Slice is not supported');
  const pads = [...dims, ...dims].map(() => 0);
  for (const [i, axisGiven] of axes.entries()) {
    const axis = axisOf(axisGiven, dims.length);
    const size = Number(dims[axis]);
    const given = starts[i] ?? 0;
    const start = Math.min(size, Math.max(0, given < 0 ? given + size : given));
    const taken = Number(tape.shape(dy)[axis]);
    pads[axis] = start;
    pads[axis + dims.length] = size - start - taken;
  }
  return [tape.emit('Pad', [dy, tape.ints(pads), tape.scalar(0)], {}, dims), ...node.inputs.slice(1).map(() => null)];
};

/** Rows chosen by index: each row gets back what its copies got. */
const gather: GradientRule = (tape, node, dy) => {
  if (intAttribute(node, 'axis', 0) !== 0) throw new Error('the gradient of Gather is only known along the first axis');
  const input = x(node);
  const zeros = tape.emit('ConstantOfShape', [tape.emit('Shape', [input])], {}, tape.shape(input));
  const indices = tape.emit('Unsqueeze', [x(node, 1), tape.ints([-1])]);
  return [tape.emit('ScatterND', [zeros, indices, dy], { reduction: 'add' }, tape.shape(input)), null];
};

/** The gradient spread over the reduced axes. */
const reduceSum: GradientRule = (tape, node, dy) => [spread(tape, node, dy), null];

const reduceMean: GradientRule = (tape, node, dy) => {
  const count = tape.emit('Div', [size(tape, x(node)), size(tape, node.outputs[0] ?? '')], {}, []);
  return [tape.emit('Div', [spread(tape, node, dy), count])];
};

/** Number of elements as a float, known at run time. */
function size(tape: Tape, value: string): string {
  return tape.emit('Cast', [tape.emit('Size', [value], {}, [])], { to: 1 }, []);
}

function spread(tape: Tape, node: GraphNode, dy: string): string {
  const dims = tape.shape(x(node));
  const axes = axesOf(node, tape, dims.length) ?? dims.map((_, i) => i);
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
  ReduceSum: reduceSum,
  ReduceMean: reduceMean,
};
