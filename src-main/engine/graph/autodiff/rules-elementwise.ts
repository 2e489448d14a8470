import { ELEMENT, type GraphNode, intAttribute } from '../model.ts';
import type { Tape } from './tape.ts';

/** Gradients with respect to each input of a node, given the gradient of its first output; null = none flows. */
export type GradientRule = (tape: Tape, node: GraphNode, dy: string) => readonly (string | null)[];

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

/** The mask is the node's second output; what was kept was divided by the share kept. */
const dropout: GradientRule = (tape, node, dy) => {
  const kept = tape.emit('Mul', [dy, mask(tape, node.outputs[1] ?? '')]);
  const ratio = x(node, 1);
  const share = tape.emit('Sub', [tape.scalar(1), ratio]);
  return [tape.emit('Div', [kept, share]), null, null];
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
  Relu: scaled((tape, node) => mask(tape, tape.emit('Greater', [x(node), tape.scalar(0)]))),
  Tanh: scaled((tape, node) => tape.emit('Sub', [tape.scalar(1), tape.emit('Mul', [y(node), y(node)])])),
  Sigmoid: scaled((tape, node) => tape.emit('Mul', [y(node), tape.emit('Sub', [tape.scalar(1), y(node)])])),
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  Dropout: dropout,
};
