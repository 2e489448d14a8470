import { type GraphNode, intAttribute } from '../model.ts';
import { floatAttributeOf } from './attributes.ts';
import { broadcastDims, type NdArray, reader, tabulate } from './nd-array.ts';

/** MatMul (batched, with broadcasting) and Gemm; null where the operator is neither. */
export function matrixProduct(node: GraphNode, inputs: readonly NdArray[]): NdArray | null {
  const [a, b, c] = inputs;
  if (a === undefined || b === undefined) return null;
  if (node.op === 'MatMul') {
    const batch = broadcastDims([a.dims.slice(0, -2), b.dims.slice(0, -2)]);
    const [left, right] = [reader(a), reader(b)];
    const inner = a.dims.at(-1) ?? 1;
    return tabulate([...batch, a.dims.at(-2) ?? 1, b.dims.at(-1) ?? 1], (index) => {
      const at = index.slice(0, -2);
      const [row, column] = [index.at(-2) ?? 0, index.at(-1) ?? 0];
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += left([...at, row, k]) * right([...at, k, column]);
      return sum;
    });
  }
  if (node.op !== 'Gemm') return null;
  const flip = (name: string): boolean => intAttribute(node, name, 0) === 1;
  const [ta, tb] = [flip('transA'), flip('transB')];
  const [alpha, beta] = [floatAttributeOf(node, 'alpha', 1), floatAttributeOf(node, 'beta', 1)];
  const [left, right, bias] = [reader(a), reader(b), c === undefined ? null : reader(c)];
  const inner = a.dims[ta ? 0 : 1] ?? 1;
  return tabulate([a.dims[ta ? 1 : 0] ?? 1, b.dims[tb ? 0 : 1] ?? 1], ([row = 0, column = 0]) => {
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += left(ta ? [k, row] : [row, k]) * right(tb ? [column, k] : [k, column]);
    return alpha * sum + (bias === null ? 0 : beta * bias([row, column]));
  });
}
