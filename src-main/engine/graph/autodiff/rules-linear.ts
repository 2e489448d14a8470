import { floatAttribute } from '../builder.ts';
import { type GraphNode, intAttribute } from '../model.ts';
import type { GradientRule } from './rules-elementwise.ts';
import type { Tape } from './tape.ts';

const x = (node: GraphNode, position = 0): string => node.inputs[position] ?? '';

/** The last two axes exchanged. */
function transposed(tape: Tape, value: string): string {
  const rank = tape.shape(value).length;
  const order = Array.from({ length: rank }, (_, i) => i);
  order.push(...order.splice(rank - 2, 2).reverse());
  return tape.emit('Transpose', [value], { perm: order });
}

/** dA = dY B^T, dB = A^T dY, summed over broadcast batch axes. */
const matMul: GradientRule = (tape, node, dy) => [
  tape.unbroadcast(tape.emit('MatMul', [dy, transposed(tape, x(node, 1))]), x(node)),
  tape.unbroadcast(tape.emit('MatMul', [transposed(tape, x(node)), dy]), x(node, 1)),
];

/** Y = alpha A' B' + beta C: the four cases of transposition, each one product. */
const gemm: GradientRule = (tape, node, dy) => {
  const [a, b] = [x(node), x(node, 1)];
  const alpha = floatOf(node, 'alpha');
  const product = (left: string, right: string, transA: boolean, transB: boolean) =>
    tape.emit('Gemm', [left, right], {
      alpha: floatAttribute(alpha),
      transA: Number(transA),
      transB: Number(transB),
    });
  const ta = intAttribute(node, 'transA', 0) === 1;
  const tb = intAttribute(node, 'transB', 0) === 1;
  const da = ta ? product(b, dy, tb, true) : product(dy, b, false, !tb);
  const db = tb ? product(dy, a, true, ta) : product(a, dy, !ta, false);
  if (!node.inputs[2]) return [da, db];
  const bias = tape.unbroadcast(dy, node.inputs[2]);
  const beta = floatOf(node, 'beta');
  return [da, db, beta === 1 ? bias : tape.emit('Mul', [bias, tape.scalar(beta)])];
};

function floatOf(node: GraphNode, name: string): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'float' || attribute?.kind === 'int' ? attribute.value : 1;
}

export const LINEAR_RULES: Readonly<Record<string, GradientRule>> = {
  MatMul: matMul,
  Gemm: gemm,
};
