import { ancestorNodes } from './cut.ts';
import type { Graph, GraphNode } from './model.ts';
import { ELEMENT, elementCount, intAttribute } from './model.ts';

/** Learned inputs by operator: positions whose constants count as parameters. */
const LEARNED_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  // Scale and bias; the running mean and variance are statistics, not parameters.
  BatchNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  GroupNormalization: [1, 2],
  PRelu: [1],
  Add: [0, 1],
  Mul: [0, 1],
  Concat: [0, 1, 2],
  Expand: [0],
  Slice: [0],
  Pad: [0],
  Transpose: [0],
};

export interface GraphCost {
  readonly parameters: number;
  /** Floating-point operations for one image: a multiply-add counts as two; convolutions and matrix products only. */
  readonly flops: number;
}

/**
 * What it takes to compute a tensor: learned constants it depends on and floating-point operations for one image.
 *
 * @param shapes dims of every Conv, Gemm and MatMul output with a batch of one; others are not needed.
 */
export function costOf(
  graph: Graph,
  tensors: readonly string[],
  shapes: ReadonlyMap<string, readonly number[]>,
): GraphCost {
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const counted = new Set<string>();
  let parameters = 0;
  let flops = 0;
  for (const node of ancestorNodes(graph, tensors)) {
    for (const position of LEARNED_INPUTS[node.op] ?? []) {
      const tensor = constants.get(node.inputs[position] ?? '');
      if (!tensor || tensor.elementType !== ELEMENT.float || counted.has(tensor.name)) continue;
      const size = elementCount(tensor.dims);
      // A lone number in an addition or product is a constant of the exporter, not a weight.
      if (size === 1 && (node.op === 'Add' || node.op === 'Mul')) continue;
      counted.add(tensor.name);
      parameters += size;
    }
    flops += 2 * multiplyAdds(node, (name) => constants.get(name)?.dims ?? shapes.get(name));
  }
  return { parameters, flops };
}

type DimsOf = (name: string) => readonly number[] | undefined;

function multiplyAdds(node: GraphNode, dimsOf: DimsOf): number {
  const out = dimsOf(node.outputs[0] ?? '');
  if (!out) return 0;
  if (node.op === 'Conv') {
    const weight = dimsOf(node.inputs[1] ?? '');
    // Weight dims: out channels, in channels / groups, kernel...
    return weight ? elementCount(out) * elementCount(weight.slice(1)) : 0;
  }
  if (node.op === 'Gemm' || node.op === 'MatMul') {
    const right = dimsOf(node.inputs[1] ?? '');
    if (!right) return 0;
    const transposed = node.op === 'Gemm' && intAttribute(node, 'transB', 0) === 1;
    return elementCount(out) * ((transposed ? right.at(-1) : right.at(-2)) ?? 1);
  }
  return 0;
}

/** Names of the outputs whose shapes `costOf` needs. */
export function costedTensors(graph: Graph): string[] {
  const names = graph.nodes
    .filter((node) => node.op === 'Conv' || node.op === 'Gemm' || node.op === 'MatMul')
    .flatMap((node) => [...node.outputs.slice(0, 1), ...(node.op === 'MatMul' ? node.inputs.slice(1, 2) : [])]);
  const constants = new Set(graph.initializers.map((tensor) => tensor.name));
  return [...new Set(names)].filter((name) => !constants.has(name));
}
