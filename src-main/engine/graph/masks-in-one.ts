import { namesRead } from './cut.ts';
import { ELEMENT, floatsOf, type Graph, type GraphNode, intAttribute, type OnnxModel } from './model.ts';

/** The largest finite float: times this, every normal positive number is more than one. */
const STEEP = 3.4028234663852886e38;

/**
 * The same graph with each mask of ones where a number is positive (Greater than zero, then Cast) in one operator: a
 * HardSigmoid as steep as floats allow, max(0, min(1, steep x)). On a CPU onnxruntime compares into booleans and casts
 * them one after the other, which takes twice as long. Only subnormal numbers (below 1.2e-38) may come out between 0 and
 * 1, and what is no number stays none instead of giving 0. For float32 alone: in float16 the slope would be infinite.
 */
export function masksInOne(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const comparisons = new Map<string, GraphNode>();
  const zeros = zerosOf(graph);
  for (const node of graph.nodes) {
    if (node.op === 'Greater' && node.domain === '' && zeros.has(node.inputs[1] ?? ''))
      comparisons.set(node.outputs[0] ?? '', node);
  }
  const given = new Set(graph.outputs.map(({ name }) => name));
  const readers = new Map<string, GraphNode[]>();
  for (const node of graph.nodes) {
    for (const name of namesRead(node))
      if (comparisons.has(name)) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const isMask = (node: GraphNode): boolean =>
    node.op === 'Cast' && node.domain === '' && intAttribute(node, 'to', 0) === ELEMENT.float;
  const dropped = new Set<GraphNode>();
  const masks = new Map<GraphNode, GraphNode>();
  for (const [name, comparison] of comparisons) {
    const all = readers.get(name) ?? [];
    if (given.has(name) || !all.every(isMask)) continue;
    dropped.add(comparison);
    for (const cast of all) masks.set(cast, steep(cast, comparison.inputs[0] ?? ''));
  }
  const nodes = graph.nodes.filter((node) => !dropped.has(node)).map((node) => masks.get(node) ?? node);
  return { ...model, graph: { ...graph, nodes } };
}

function steep(cast: GraphNode, value: string): GraphNode {
  const attributes = { alpha: { kind: 'float', value: STEEP }, beta: { kind: 'float', value: 0 } } as const;
  return { ...cast, op: 'HardSigmoid', inputs: [value], attributes };
}

/** Constants that are the number zero. */
function zerosOf({ initializers, nodes }: Graph): ReadonlySet<string> {
  const constants = nodes.flatMap(({ op, attributes, outputs }) => {
    const value = op === 'Constant' ? attributes.value : undefined;
    return value?.kind === 'tensor' ? [{ ...value.value, name: outputs[0] ?? '' }] : [];
  });
  const zeros = [...initializers, ...constants].filter((tensor) => {
    return tensor.elementType === ELEMENT.float && tensor.dims.length === 0 && floatsOf(tensor)[0] === 0;
  });
  return new Set(zeros.map(({ name }) => name));
}
