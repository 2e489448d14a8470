import { floatAttribute } from '../builder.ts';
import type { GraphNode, GraphTensor, OnnxModel } from '../model.ts';
import { ELEMENT, floatTensor, int64Tensor, intAttribute } from '../model.ts';

/** A running statistic and the value of the graph that holds it after the batch. */
export interface RunningStatistic {
  readonly tensor: string;
  readonly next: string;
}

export interface MeasuredBatchNorms {
  readonly model: OnnxModel;
  /** Names of the nodes that now normalise by the batch: what `differentiate` needs to know. */
  readonly batchNorms: ReadonlySet<string>;
  readonly running: readonly RunningStatistic[];
}

/** The same network with the named BatchNormalization nodes (all where null) in training mode. */
export function inTrainingMode(model: OnnxModel, names: ReadonlySet<string> | null = null): OnnxModel {
  const nodes = model.graph.nodes.map((node) =>
    node.op === 'BatchNormalization' && (names === null || names.has(node.name))
      ? { ...node, attributes: { ...node.attributes, training_mode: { kind: 'int', value: 1 } as const } }
      : node,
  );
  return { ...model, graph: { ...model.graph, nodes } };
}

/**
 * Takes every BatchNormalization in training mode apart: mean and biased variance of the batch are measured in two
 * passes, the node itself normalises by them as it does in evaluation, and the running statistics move as PyTorch's do:
 * next = momentum x old + (1 - momentum) x measured (ONNX's momentum is 1 - PyTorch's), the variance times n / (n - 1).
 * Nodes in evaluation mode stay as they are: frozen.
 */
export function measureBatchNorms(model: OnnxModel): MeasuredBatchNorms {
  const tensors = new Map(model.graph.initializers.map((tensor) => [tensor.name, tensor]));
  const constants: GraphTensor[] = [];
  const batchNorms = new Set<string>();
  const running: RunningStatistic[] = [];
  const nodes = model.graph.nodes.flatMap((node, i) => {
    if (node.op !== 'BatchNormalization' || intAttribute(node, 'training_mode', 0) === 0) return [node];
    const name = `measured/${i}`;
    const part = measured(node, name, model.opsets[''] ?? 0, tensors);
    constants.push(...part.constants);
    running.push(...part.running);
    batchNorms.add(name);
    return part.nodes;
  });
  const initializers = [...model.graph.initializers, ...constants];
  return { model: { ...model, graph: { ...model.graph, nodes, initializers } }, batchNorms, running };
}

function measured(norm: GraphNode, name: string, opset: number, tensors: ReadonlyMap<string, GraphTensor>) {
  const [x = '', scale = '', shift = '', meanTensor = '', varianceTensor = ''] = norm.inputs;
  const [y = ''] = norm.outputs;
  const channels = tensors.get(meanTensor)?.dims[0] ?? 1;
  const constants: GraphTensor[] = [];
  const nodes: GraphNode[] = [];
  const ints = (label: string, values: readonly number[]): string => {
    constants.push(int64Tensor(`${name}/${label}`, [values.length], values));
    return `${name}/${label}`;
  };
  const number = (label: string, value: number): string => {
    constants.push(floatTensor(`${name}/${label}`, [], Float32Array.of(value)));
    return `${name}/${label}`;
  };
  const add = (label: string, op: string, inputs: readonly string[], attributes: GraphNode['attributes'] = {}) => {
    const output = `${name}/${label}`;
    nodes.push({ name: output, op, domain: '', inputs, outputs: [output], attributes });
    return output;
  };
  const axes = [0, 2, 3];
  const keepdims = { kind: 'int', value: 1 } as const;
  const mean = (label: string, input: string): string =>
    // From operator set 18 on, ReduceMean takes its axes as an input instead of an attribute.
    opset < 18
      ? add(label, 'ReduceMean', [input], { keepdims, axes: { kind: 'ints', value: axes } })
      : add(label, 'ReduceMean', [input, ints(`${label}_axes`, axes)], { keepdims });
  const flat = ints('flat', [channels]);
  const wideMean = mean('mean_wide', x);
  const centred = add('centred', 'Sub', [x, wideMean]);
  const batchMean = add('mean', 'Reshape', [wideMean, flat]);
  const batchVariance = add('variance', 'Reshape', [
    mean('variance_wide', add('square', 'Mul', [centred, centred])),
    flat,
  ]);
  const epsilon = norm.attributes.epsilon ?? floatAttribute(1e-5);
  const inputs = [x, scale, shift, batchMean, batchVariance];
  nodes.push({ name, op: 'BatchNormalization', domain: '', inputs, outputs: [y], attributes: { epsilon } });
  const given = norm.attributes.momentum;
  const momentum = given?.kind === 'float' || given?.kind === 'int' ? given.value : 0.9;
  const float = (label: string, input: string): string =>
    add(label, 'Cast', [add(`${label}_int`, 'Size', [input])], { to: { kind: 'int', value: ELEMENT.float } });
  const count = add('count', 'Div', [float('elements', x), float('channels', scale)]);
  const unbiased = add('unbiased', 'Div', [count, add('count_less_one', 'Sub', [count, number('one', 1)])]);
  const move = (label: string, old: string, value: string): string =>
    add(label, 'Add', [
      add(`${label}_kept`, 'Mul', [old, number(`${label}_share`, momentum)]),
      add(`${label}_new`, 'Mul', [value, number(`${label}_rest`, 1 - momentum)]),
    ]);
  const running: RunningStatistic[] = [
    { tensor: meanTensor, next: move('next_mean', meanTensor, batchMean) },
    {
      tensor: varianceTensor,
      next: move('next_variance', varianceTensor, add('sample_variance', 'Mul', [batchVariance, unbiased])),
    },
  ];
  return { nodes, constants, running };
}
