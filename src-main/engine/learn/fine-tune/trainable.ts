import { ELEMENT, elementCount, freeInputs, type OnnxModel } from '../../graph/model.ts';

/** Learned inputs by operator: positions whose float constants are trained. Running statistics are none. */
const LEARNED: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  Gemm: [1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  Add: [0, 1],
  Mul: [0, 1],
  Concat: [0, 1],
  Slice: [0],
  Pad: [0],
};

/**
 * The weights of a network: constants at the places where layers keep what they learn. Lone numbers (scales, epsilons)
 * and what is applied to the image itself (its normalisation) are not among them.
 */
export function trainableWeights(model: OnnxModel): readonly string[] {
  const { graph } = model;
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const images = new Set(freeInputs(graph).map(({ name }) => name));
  const found = new Set<string>();
  for (const node of graph.nodes) {
    const onImage = (node.op === 'Add' || node.op === 'Mul') && node.inputs.some((name) => images.has(name));
    if (onImage) continue;
    for (const position of LEARNED[node.op] ?? []) {
      const tensor = constants.get(node.inputs[position] ?? '');
      if (tensor?.elementType !== ELEMENT.float || elementCount(tensor.dims) < 2) {
        // A convolution to one channel has a bias of one number.
        if (tensor?.elementType !== ELEMENT.float || (node.op !== 'Conv' && node.op !== 'Gemm')) continue;
      }
      found.add(tensor.name);
    }
  }
  return [...found];
}
