import type { GraphNode } from '../model.ts';
import { floatAttributeOf } from './attributes.ts';
import { broadcastDims, type NdArray, reader, tabulate } from './nd-array.ts';

type Unary = (x: number, node: GraphNode) => number;
type Binary = (a: number, b: number) => number;

/** erf by its series of positive terms (Abramowitz and Stegun, 7.1.6): full double precision. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return ((2 * Math.exp(-x * x)) / Math.sqrt(Math.PI)) * sum;
}

const gelu: Unary = (x, node) => {
  const approximate = node.attributes.approximate;
  if (approximate?.kind === 'string' && approximate.value === 'tanh') {
    return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  }
  return 0.5 * x * (1 + erf(x * Math.SQRT1_2));
};

export const UNARY: Readonly<Record<string, Unary>> = {
  Identity: (x) => x,
  Cast: (x) => x,
  Dropout: (x) => x,
  Relu: (x) => Math.max(0, x),
  LeakyRelu: (x, node) => (x < 0 ? floatAttributeOf(node, 'alpha', 0.01) * x : x),
  Tanh: Math.tanh,
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  Gelu: gelu,
  Erf: erf,
  Exp: Math.exp,
  Log: Math.log,
  Neg: (x) => -x,
  Sqrt: Math.sqrt,
  Reciprocal: (x) => 1 / x,
  Abs: Math.abs,
  Sign: Math.sign,
  Not: (x) => Number(x === 0),
  IsNaN: (x) => Number(Number.isNaN(x)),
};

export const BINARY: Readonly<Record<string, Binary>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Pow: (a, b) => a ** b,
  Max: (a, b) => Math.max(a, b),
  Min: (a, b) => Math.min(a, b),
  Greater: (a, b) => Number(a > b),
  GreaterOrEqual: (a, b) => Number(a >= b),
  Less: (a, b) => Number(a < b),
  LessOrEqual: (a, b) => Number(a <= b),
  Equal: (a, b) => Number(a === b),
  And: (a, b) => Number(a !== 0 && b !== 0),
  Or: (a, b) => Number(a !== 0 || b !== 0),
};

/** One of the operators above over whole tensors, with numpy's broadcasting; null where it is none of them. */
export function elementwise(node: GraphNode, inputs: readonly NdArray[]): NdArray | null {
  const [first, second, third] = inputs;
  if (first === undefined) return null;
  const unary = UNARY[node.op];
  if (unary !== undefined) return { dims: first.dims, data: first.data.map((x) => unary(x, node)) };
  if (node.op === 'Clip') {
    const [low, high] = [second?.data[0] ?? -Infinity, third?.data[0] ?? Infinity];
    return { dims: first.dims, data: first.data.map((x) => Math.min(high, Math.max(low, x))) };
  }
  const dims = broadcastDims(inputs.map((input) => input.dims));
  const readers = inputs.map(reader);
  if (node.op === 'Where') {
    return tabulate(dims, (index) => (readers[0]?.(index) ? readers[1] : readers[2])?.(index) ?? Number.NaN);
  }
  const binary = BINARY[node.op];
  if (binary === undefined) return null;
  return tabulate(dims, (index) => readers.map((read) => read(index)).reduce(binary));
}
