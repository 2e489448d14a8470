import type { GraphBuilder } from './builder.ts';

/**
 * Mean over rows of -sum_c target log softmax(logits): cross-entropy (Mormont's and HistoTransfer's loss).
 *
 * @param logits N x C
 * @param target N x C: class shares of each row, or a class weight at the row's class
 * @returns the name of a value without dimensions
 */
export function crossEntropy(g: GraphBuilder, name: string, logits: string, target: string): string {
  const log = g.node(`${name}_log`, 'LogSoftmax', [logits], { axis: 1 });
  const terms = g.node(`${name}_terms`, 'Mul', [log, target]);
  const rows = g.node(`${name}_rows`, 'ReduceSum', [terms, g.ints(`${name}_axis`, [1])], { keepdims: 0 });
  return g.node(name, 'Neg', [g.node(`${name}_mean`, 'ReduceMean', [rows], { keepdims: 0 })]);
}

/**
 * Mean of log(1 + e^z) - t z: binary cross-entropy on logits, exact for large |z| too.
 *
 * @param logits any shape; `target` in the same shape, 0 to 1
 */
export function binaryCrossEntropy(g: GraphBuilder, name: string, logits: string, target: string): string {
  const free = g.node(`${name}_softplus`, 'Softplus', [logits]);
  const terms = g.node(`${name}_terms`, 'Sub', [free, g.node(`${name}_agreement`, 'Mul', [logits, target])]);
  return g.node(name, 'ReduceMean', [terms], { keepdims: 0 });
}
