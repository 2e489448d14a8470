import { ELEMENT, type GraphNode, intAttribute } from '../model.ts';
import type { Tape } from './tape.ts';

/**
 * Gradients with respect to each input of a node, given the gradient of its first output; null = none flows. `all`
 * holds the gradients of every output, for the few operators where more than the first is differentiable.
 */
export type GradientRule = (
  tape: Tape,
  node: GraphNode,
  dy: string,
  all: readonly (string | null)[],
) => readonly (string | null)[];

const x = (node: GraphNode, position = 0): string => node.inputs[position] ?? '';
const y = (node: GraphNode): string => node.outputs[0] ?? '';

/** 1 where the condition holds, else 0, as float. */
function mask(tape: Tape, condition: string): string {
  return tape.emit('Cast', [condition], { to: ELEMENT.float });
}

/** dx = dy * factor. */
const scaled =
  (factor: (tape: Tape, node: GraphNode) => string): GradientRule =>
  (tape, node, dy) => [tape.emit('Mul', [dy, factor(tape, node)])];

const add: GradientRule = (tape, node, dy) => node.inputs.map((input) => tape.unbroadcast(dy, input));

const sub: GradientRule = (tape, node, dy) => [
  tape.unbroadcast(dy, x(node)),
  tape.unbroadcast(tape.emit('Neg', [dy]), x(node, 1)),
];

const mul: GradientRule = (tape, node, dy) => [
  tape.unbroadcast(tape.emit('Mul', [dy, x(node, 1)]), x(node)),
  tape.unbroadcast(tape.emit('Mul', [dy, x(node)]), x(node, 1)),
];

/** d(a/b)/db = -(a/b)/b. */
const div: GradientRule = (tape, node, dy) => {
  const share = tape.emit('Div', [dy, x(node, 1)]);
  const second = tape.emit('Neg', [tape.emit('Mul', [share, y(node)])]);
  return [tape.unbroadcast(share, x(node)), tape.unbroadcast(second, x(node, 1))];
};

/** Only the base is differentiated: exponents here are constants. */
const pow: GradientRule = (tape, node, dy) => {
  const lower = tape.emit('Pow', [x(node), tape.emit('Sub', [x(node, 1), tape.scalar(1)])]);
  const slope = tape.emit('Mul', [x(node, 1), lower]);
  return [tape.unbroadcast(tape.emit('Mul', [dy, slope]), x(node)), null];
};

const softmax: GradientRule = (tape, node, dy) => {
  const axis = lastAxis(tape, node);
  const weighted = tape.emit('Mul', [dy, y(node)]);
  const total = tape.sum(weighted, [axis], true);
  return [tape.emit('Mul', [y(node), tape.emit('Sub', [dy, total])])];
};

const logSoftmax: GradientRule = (tape, node, dy) => {
  const total = tape.sum(dy, [lastAxis(tape, node)], true);
  const share = tape.emit('Mul', [tape.emit('Exp', [y(node)]), total]);
  return [tape.emit('Sub', [dy, share])];
};

function lastAxis(tape: Tape, node: GraphNode): number {
  const axis = intAttribute(node, 'axis', -1);
  return axis < 0 ? axis + tape.shape(x(node)).length : axis;
}

/** d erf(x)/dx = 2/sqrt(pi) exp(-x^2). */
const erf = scaled((tape, node) => {
  const square = tape.emit('Mul', [x(node), x(node)]);
  return tape.emit('Mul', [tape.scalar(2 / Math.sqrt(Math.PI)), tape.emit('Exp', [tape.emit('Neg', [square])])]);
});

/** Only as it is in evaluation, where it changes nothing: training draws its masks itself (`dropout.ts`). */
const dropout: GradientRule = (_tape, node, dy) => {
  if (node.inputs[2]) throw new Error('Dropout in training mode: replace it by seeded masks first');
  return [dy, null, null];
};

/** Phi(x) + x phi(x), or the slope of the tanh approximation (Hendrycks and Gimpel, 2016). */
const gelu = scaled((tape, node) => {
  const input = x(node);
  const half = tape.scalar(0.5);
  const approximate = node.attributes.approximate;
  if (approximate?.kind === 'string' && approximate.value === 'tanh') return geluTanhSlope(tape, input);
  const inner = tape.emit('Erf', [tape.emit('Mul', [input, tape.scalar(Math.SQRT1_2)])]);
  const cumulative = tape.emit('Mul', [half, tape.emit('Add', [inner, tape.scalar(1)])]);
  const exponent = tape.emit('Mul', [tape.emit('Mul', [input, input]), tape.scalar(-0.5)]);
  const density = tape.emit('Mul', [tape.emit('Exp', [exponent]), tape.scalar(1 / Math.sqrt(2 * Math.PI))]);
  return tape.emit('Add', [cumulative, tape.emit('Mul', [input, density])]);
});

/** d/dx of x (1 + tanh u) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3). */
function geluTanhSlope(tape: Tape, input: string): string {
  const root = Math.sqrt(2 / Math.PI);
  const square = tape.emit('Mul', [input, input]);
  const factor = tape.emit('Add', [tape.emit('Mul', [square, tape.scalar(0.044715)]), tape.scalar(1)]);
  const tanh = tape.emit('Tanh', [tape.emit('Mul', [tape.emit('Mul', [input, factor]), tape.scalar(root)])]);
  const steep = tape.emit('Add', [tape.emit('Mul', [square, tape.scalar(3 * 0.044715)]), tape.scalar(1)]);
  const du = tape.emit('Mul', [steep, tape.scalar(root)]);
  const sech = tape.emit('Sub', [tape.scalar(1), tape.emit('Mul', [tanh, tanh])]);
  const moving = tape.emit('Mul', [tape.emit('Mul', [input, sech]), du]);
  const twice = tape.emit('Add', [tape.emit('Add', [tanh, tape.scalar(1)]), moving]);
  return tape.emit('Mul', [twice, tape.scalar(0.5)]);
}

const leakyRelu = scaled((tape, node) => {
  const attribute = node.attributes.alpha;
  const alpha = attribute?.kind === 'float' || attribute?.kind === 'int' ? attribute.value : 0.01;
  const positive = mask(tape, tape.emit('Greater', [x(node), tape.scalar(0)]));
  return tape.emit('Add', [tape.emit('Mul', [positive, tape.scalar(1 - alpha)]), tape.scalar(alpha)]);
});

/** Passes where the value lies strictly between the bounds. */
const clip: GradientRule = (tape, node, dy) => {
  let gradient = dy;
  for (const [position, op] of [
    [1, 'Greater'],
    [2, 'Less'],
  ] as const) {
    const bound = x(node, position);
    if (bound !== '') gradient = tape.emit('Mul', [gradient, mask(tape, tape.emit(op, [x(node), bound]))]);
  }
  return [gradient, null, null];
};

/** Each input gets the gradient where it is the one taken; equal inputs share it evenly. */
const extremum: GradientRule = (tape, node, dy) => {
  const taken = node.inputs.map((input) => mask(tape, tape.emit('Equal', [input, y(node)])));
  const count = taken.reduce((left, right) => tape.emit('Add', [left, right]));
  const share = tape.emit('Div', [dy, count]);
  return node.inputs.map((input, i) => tape.unbroadcast(tape.emit('Mul', [share, taken[i] ?? '']), input));
};

const where: GradientRule = (tape, node, dy) => {
  const zero = tape.scalar(0);
  return [
    null,
    tape.unbroadcast(tape.emit('Where', [x(node), dy, zero]), x(node, 1)),
    tape.unbroadcast(tape.emit('Where', [x(node), zero, dy]), x(node, 2)),
  ];
};

/** Derivatives as in any calculus text; each is checked against central differences and PyTorch in the tests. */
export const ELEMENTWISE_RULES: Readonly<Record<string, GradientRule>> = {
  Identity: (_tape, _node, dy) => [dy],
  Add: add,
  Sub: sub,
  Mul: mul,
  Div: div,
  Pow: pow,
  Neg: (tape, _node, dy) => [tape.emit('Neg', [dy])],
  Exp: scaled((_tape, node) => y(node)),
  Log: (tape, node, dy) => [tape.emit('Div', [dy, x(node)])],
  Sqrt: (tape, node, dy) => [tape.emit('Div', [tape.emit('Mul', [dy, tape.scalar(0.5)]), y(node)])],
  Reciprocal: scaled((tape, node) => tape.emit('Neg', [tape.emit('Mul', [y(node), y(node)])])),
  Erf: erf,
  Abs: scaled((tape, node) => tape.emit('Sign', [x(node)])),
  Softplus: scaled((tape, node) => tape.emit('Sigmoid', [x(node)])),
  Gelu: gelu,
  LeakyRelu: leakyRelu,
  Clip: clip,
  Max: extremum,
  Min: extremum,
  Where: where,
  // Of the result, not of the input: so the input need not be kept, and a runtime can join the two.
  Relu: scaled((tape, node) => mask(tape, tape.emit('Greater', [y(node), tape.scalar(0)]))),
  Tanh: scaled((tape, node) => tape.emit('Sub', [tape.scalar(1), tape.emit('Mul', [y(node), y(node)])])),
  Sigmoid: scaled((tape, node) => tape.emit('Mul', [y(node), tape.emit('Sub', [tape.scalar(1), y(node)])])),
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  Dropout: dropout,
};
