import type { Graph, GraphAttribute, GraphNode, GraphTensor, GraphValue, OnnxModel } from './model.ts';
import { floatTensor, int64Tensor } from './model.ts';

/** Where the statistics of one BatchNormalization lie: its constants, and the outputs that measure them. */
export interface NormStatistics {
  readonly meanTensor: string;
  readonly varianceTensor: string;
  readonly meanOutput: string;
  readonly varianceOutput: string;
}

/**
 * The same network with every BatchNormalization in training mode: each normalises by the mean and the (biased)
 * variance of the batch at hand, and both are graph outputs. One pass over a batch of tiles thus gives the statistics
 * of all layers, each measured behind already calibrated ones.
 */
export function withBatchStatistics(model: OnnxModel): { model: OnnxModel; statistics: NormStatistics[] } {
  const opset = model.opsets[''] ?? 0;
  const statistics: NormStatistics[] = [];
  const constants: GraphTensor[] = [];
  const nodes = model.graph.nodes.flatMap((node, index) => {
    if (node.op !== 'BatchNormalization') return [node];
    const part = batchNormNodes(node, `hyaline.norm${index}`, opset, constantsOf(model.graph));
    statistics.push(part.statistics);
    constants.push(...part.constants);
    return part.nodes;
  });
  const outputs = statistics
    .flatMap((entry) => [entry.meanOutput, entry.varianceOutput])
    .map((name): GraphValue => ({ name, elementType: 0, dims: null }));
  const initializers = [...model.graph.initializers, ...constants];
  return { model: { ...model, graph: { ...model.graph, nodes, initializers, outputs } }, statistics };
}

/** The network with measured statistics in the place of its own. `measured` is asked for each graph output. */
export function withStatistics(
  model: OnnxModel,
  statistics: readonly NormStatistics[],
  measured: (output: string) => Float32Array,
): OnnxModel {
  const values = new Map<string, Float32Array>();
  for (const entry of statistics) {
    values.set(entry.meanTensor, measured(entry.meanOutput));
    values.set(entry.varianceTensor, measured(entry.varianceOutput));
  }
  const initializers = model.graph.initializers.map((tensor) => {
    const value = values.get(tensor.name);
    return value ? floatTensor(tensor.name, tensor.dims, Float32Array.from(value)) : tensor;
  });
  return { ...model, graph: { ...model.graph, initializers } };
}

function constantsOf(graph: Graph): ReadonlyMap<string, GraphTensor> {
  return new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
}

interface NormPart {
  readonly nodes: readonly GraphNode[];
  readonly constants: readonly GraphTensor[];
  readonly statistics: NormStatistics;
}

/** y = scale * (x - mean) / sqrt(variance + epsilon) + shift, over batch and positions of an NCHW tensor. */
function batchNormNodes(
  norm: GraphNode,
  prefix: string,
  opset: number,
  known: ReadonlyMap<string, GraphTensor>,
): NormPart {
  const [x = '', scale = '', shift = '', meanTensor = '', varianceTensor = ''] = norm.inputs;
  const channels = known.get(scale)?.dims[0] ?? 1;
  const epsilonValue = norm.attributes.epsilon?.kind === 'float' ? norm.attributes.epsilon.value : 1e-5;
  const axes = int64Tensor(`${prefix}.axes`, [3], [0, 2, 3]);
  const column = int64Tensor(`${prefix}.column`, [4], [1, channels, 1, 1]);
  const flat = int64Tensor(`${prefix}.flat`, [1], [channels]);
  const epsilon = floatTensor(`${prefix}.epsilon`, [], Float32Array.of(epsilonValue));
  const nodes: GraphNode[] = [];
  const add = (
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: GraphNode['attributes'] = {},
  ): string => {
    const output = name === '' ? (norm.outputs[0] ?? '') : `${prefix}.${name}`;
    nodes.push({ name: `${prefix}.${name || 'shifted'}`, op, domain: '', inputs, outputs: [output], attributes });
    return output;
  };
  const mean = (name: string, input: string): string => {
    const keepdims: GraphAttribute = { kind: 'int', value: 1 };
    // From operator set 18 on, ReduceMean takes its axes as an input instead of an attribute.
    return opset < 18
      ? add(name, 'ReduceMean', [input], { keepdims, axes: { kind: 'ints', value: [0, 2, 3] } })
      : add(name, 'ReduceMean', [input, axes.name], { keepdims });
  };
  const average = mean('mean', x);
  const centred = add('centred', 'Sub', [x, average]);
  const variance = mean('variance', add('squared', 'Mul', [centred, centred]));
  const deviation = add('deviation', 'Sqrt', [add('stabilised', 'Add', [variance, epsilon.name])]);
  const unit = add('unit', 'Div', [centred, deviation]);
  const scaled = add('scaled', 'Mul', [unit, add('scale', 'Reshape', [scale, column.name])]);
  const shiftColumn = add('shift', 'Reshape', [shift, column.name]);
  const meanOutput = add('mean_flat', 'Reshape', [average, flat.name]);
  const varianceOutput = add('variance_flat', 'Reshape', [variance, flat.name]);
  add('', 'Add', [scaled, shiftColumn]);
  const statistics = { meanTensor, varianceTensor, meanOutput, varianceOutput };
  return { nodes, constants: [...(opset < 18 ? [] : [axes]), column, flat, epsilon], statistics };
}
