import type { CutPoint } from '../../../src-shared/model/backbone.ts';
import type { Graph, GraphNode, GraphTensor, GraphValue, OnnxModel } from './model.ts';
import { ELEMENT, int64Tensor } from './model.ts';

/** A tensor to expose, how to pool it, and the name of the resulting graph output (N x featureDim). */
export interface CutOutput {
  readonly tensor: string;
  readonly pooling: CutPoint['pooling'];
  readonly output: string;
}

/** Names a node reads: its inputs and what its subgraphs (If, Loop) take from outside. */
export function namesRead(node: GraphNode): string[] {
  const names = node.inputs.filter((name) => name !== '');
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.kind === 'graph') names.push(...namesCaptured(attribute.value));
  }
  return names;
}

function namesCaptured(graph: Graph): string[] {
  const inner = new Set([
    ...graph.inputs.map((value) => value.name),
    ...graph.initializers.map((tensor) => tensor.name),
    ...graph.nodes.flatMap((node) => node.outputs),
  ]);
  const read = [...graph.nodes.flatMap(namesRead), ...graph.outputs.map((value) => value.name)];
  return read.filter((name) => !inner.has(name));
}

/** The nodes the given tensors depend on, in graph order. */
export function ancestorNodes(graph: Graph, tensors: readonly string[]): GraphNode[] {
  const producer = new Map<string, GraphNode>();
  for (const node of graph.nodes) for (const output of node.outputs) producer.set(output, node);
  const needed = new Set<GraphNode>();
  const queue = [...tensors];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const node = producer.get(name);
    if (!node || needed.has(node)) continue;
    needed.add(node);
    queue.push(...namesRead(node));
  }
  return graph.nodes.filter((node) => needed.has(node));
}

/**
 * The part of a network that computes the given cuts, in one forward pass: nodes and weights nothing depends on are
 * gone, each cut is pooled to N x featureDim and is a graph output under its own name. No weight is changed, so a cut
 * gives exactly the full network's activation at that place.
 *
 * Pooling: `global-average` over all positions of an NCHW tensor, `cls` = token 0 and `mean-tokens` = mean over the
 * tokens of an N x tokens x dim tensor, `none` flattens whatever is there.
 */
export function cutModel(model: OnnxModel, cuts: readonly CutOutput[]): OnnxModel {
  const { graph } = model;
  const kept = ancestorNodes(
    graph,
    cuts.map((cut) => cut.tensor),
  );
  const read = new Set([...kept.flatMap(namesRead), ...cuts.map((cut) => cut.tensor)]);
  const pools = cuts.map((cut, index) => poolingNodes(cut, `hyaline.cut${index}`, model.opsets[''] ?? 0));
  const initializers = graph.initializers.filter((tensor) => read.has(tensor.name));
  const constants = new Set(graph.initializers.map((tensor) => tensor.name));
  return {
    ...model,
    graph: {
      name: graph.name,
      nodes: [...kept, ...pools.flatMap((pool) => pool.nodes)],
      initializers: [...initializers, ...pools.flatMap((pool) => pool.constants)],
      inputs: graph.inputs.filter((value) => !constants.has(value.name)),
      outputs: cuts.map((cut): GraphValue => ({ name: cut.output, elementType: ELEMENT.float, dims: null })),
    },
  };
}

/** Adds a pooled tensor as a further output; everything else stays. */
export function appendOutput(model: OnnxModel, cut: CutOutput, featureDim: number): OnnxModel {
  const pool = poolingNodes(cut, 'hyaline.pool', model.opsets[''] ?? 0);
  const output: GraphValue = { name: cut.output, elementType: ELEMENT.float, dims: ['N', featureDim] };
  return {
    ...model,
    graph: {
      ...model.graph,
      nodes: [...model.graph.nodes, ...pool.nodes],
      initializers: [...model.graph.initializers, ...pool.constants],
      outputs: [...model.graph.outputs, output],
    },
  };
}

interface PoolingPart {
  readonly nodes: readonly GraphNode[];
  readonly constants: readonly GraphTensor[];
}

function poolingNodes(cut: CutOutput, prefix: string, opset: number): PoolingPart {
  const node = (op: string, inputs: string[], output: string, attributes: GraphNode['attributes'] = {}): GraphNode => ({
    name: `${prefix}.${op}`,
    op,
    domain: '',
    inputs,
    outputs: [output],
    attributes,
  });
  const flat = (input: string): GraphNode => node('Flatten', [input], cut.output, { axis: { kind: 'int', value: 1 } });
  switch (cut.pooling) {
    case 'none':
      return { nodes: [flat(cut.tensor)], constants: [] };
    case 'global-average':
      return {
        nodes: [node('GlobalAveragePool', [cut.tensor], `${prefix}.pooled`), flat(`${prefix}.pooled`)],
        constants: [],
      };
    case 'cls': {
      const index: GraphTensor = { ...int64Tensor(`${prefix}.token`, [], [0]) };
      const gather = node('Gather', [cut.tensor, index.name], `${prefix}.cls`, { axis: { kind: 'int', value: 1 } });
      return { nodes: [gather, flat(`${prefix}.cls`)], constants: [index] };
    }
    case 'mean-tokens': {
      // From operator set 18 on, ReduceMean takes its axes as an input instead of an attribute.
      const keep = { keepdims: { kind: 'int', value: 0 } } as const;
      if (opset < 18) {
        const attributes = { ...keep, axes: { kind: 'ints', value: [1] } } as const;
        return { nodes: [node('ReduceMean', [cut.tensor], cut.output, attributes)], constants: [] };
      }
      const axes = int64Tensor(`${prefix}.axes`, [1], [1]);
      return { nodes: [node('ReduceMean', [cut.tensor, axes.name], cut.output, keep)], constants: [axes] };
    }
  }
}
