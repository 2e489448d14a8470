import {
  ELEMENT,
  elementCount,
  floatTensor,
  type Graph,
  type GraphNode,
  type GraphTensor,
  type OnnxModel,
} from '../graph/model.ts';
import { RandomStream } from './random-stream.ts';

type Draw = 'he' | 'xavier' | 'truncated' | 'one' | 'zero';

/**
 * The same network with weights drawn anew, the control of a knowledge-gain study: convolutions He-normal over the fan
 * out, fully connected layers Xavier-uniform, transformer products and position tables truncated normal (0.02), norms
 * and running statistics at their defaults, biases 0. Constants that are no weights (normalisation of the input,
 * scales, shapes) stay. The same seed gives the same bits on every machine.
 */
export function randomTwin(model: OnnxModel, seed: number): OnnxModel {
  const draws = drawsOf(model.graph);
  const initializers = model.graph.initializers.map((tensor) => {
    const draw = draws.get(tensor.name);
    return draw ? redraw(tensor, draw, seed) : tensor;
  });
  const { 'hyaline.card': _, 'hyaline.tuned': __, ...metadata } = model.metadata;
  return { ...model, metadata, graph: { ...model.graph, initializers } };
}

/** How each weight of a graph is drawn, told by the node that reads it. */
function drawsOf(graph: Graph): Map<string, Draw> {
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const producers = new Map<string, GraphNode>();
  for (const node of graph.nodes) for (const output of node.outputs) producers.set(output, node);
  const draws = new Map<string, Draw>();
  const set = (name: string | undefined, draw: Draw): void => {
    if (name !== undefined && constants.get(name)?.elementType === ELEMENT.float) draws.set(name, draw);
  };
  for (const node of graph.nodes) {
    const [first, second, third, fourth, fifth] = node.inputs;
    if (node.op === 'Conv' || node.op === 'ConvTranspose') {
      set(second, 'he');
      set(third, 'zero');
    } else if (node.op === 'Gemm') {
      set(second, 'xavier');
      set(third, 'zero');
    } else if (node.op === 'MatMul') {
      set(first, 'truncated');
      set(second, 'truncated');
    } else if (/^(Batch|Instance|Layer|Group)Normalization$/.test(node.op)) {
      set(second, 'one');
      set(third, 'zero');
      set(fourth, 'zero');
      set(fifth, 'one');
    } else if (node.op === 'Add' || node.op === 'Concat' || node.op === 'Slice' || node.op === 'Pad') {
      for (const name of node.inputs) {
        const dims = constants.get(name)?.dims ?? [];
        if (dims.length === 3 && elementCount(dims) > 1) set(name, 'truncated');
        else if (node.op === 'Add' && followsProduct(node, producers)) set(name, 'zero');
      }
    } else if (node.op === 'Mul' && isLayerScale(node, constants, producers)) {
      for (const name of node.inputs) set(name, 'one');
    }
  }
  return draws;
}

/** An addition of a constant to a convolution or matrix product is that layer's bias. */
function followsProduct(node: GraphNode, producers: ReadonlyMap<string, GraphNode>): boolean {
  return node.inputs.some((name) => ['Conv', 'MatMul', 'Gemm'].includes(producers.get(name)?.op ?? ''));
}

/** A vector that scales a linear layer's output (DINOv2), not the lone number of an activation. */
function isLayerScale(
  node: GraphNode,
  constants: ReadonlyMap<string, GraphTensor>,
  producers: ReadonlyMap<string, GraphNode>,
): boolean {
  const vector = node.inputs.some((name) => elementCount(constants.get(name)?.dims ?? []) > 1);
  return vector && node.inputs.some((name) => producers.get(name)?.op === 'Add');
}

function redraw(tensor: GraphTensor, draw: Draw, seed: number): GraphTensor {
  const values = new Float32Array(elementCount(tensor.dims));
  if (draw === 'one') return floatTensor(tensor.name, tensor.dims, values.fill(1));
  if (draw === 'zero') return floatTensor(tensor.name, tensor.dims, values);
  const stream = new RandomStream(seed, tensor.name);
  const [out = 1, inputs = 1, ...kernel] = tensor.dims;
  const area = elementCount(kernel);
  const deviation = Math.sqrt(2 / (out * area));
  const bound = Math.sqrt(6 / ((inputs + out) * area));
  for (let i = 0; i < values.length; i += 1) {
    if (draw === 'he') values[i] = stream.nextNormal() * deviation;
    else if (draw === 'xavier') values[i] = (2 * stream.nextUniform() - 1) * bound;
    else values[i] = stream.nextTruncatedNormal(2) * 0.02;
  }
  return floatTensor(tensor.name, tensor.dims, values);
}
