import { namesRead } from '../cut.ts';
import type { GraphNode, OnnxModel } from '../model.ts';

/**
 * The same network with each Relu that only a MaxPool reads moved behind it. The largest of a window after a Relu is the
 * Relu of the largest; so are the gradients the same: where it is positive, the same place of the window gets all of it,
 * elsewhere none does. What Relu works on is as many times smaller as the pool's stride says.
 *
 * @param read values that somebody reads besides the graph: outputs, what is watched.
 */
export function reluAfterPool(model: OnnxModel, read: readonly string[]): OnnxModel {
  const { graph } = model;
  const counts = new Map<string, number>();
  for (const name of [...graph.nodes.flatMap(namesRead), ...read, ...graph.outputs.map((o) => o.name)])
    counts.set(name, (counts.get(name) ?? 0) + 1);
  const relus = new Map<string, GraphNode>();
  for (const node of graph.nodes) if (isPlain(node, 'Relu')) relus.set(node.outputs[0] ?? '', node);
  const moved = new Set<GraphNode>();
  const pools = new Map<GraphNode, readonly GraphNode[]>();
  for (const pool of graph.nodes) {
    const relu = isPlain(pool, 'MaxPool') ? relus.get(pool.inputs[0] ?? '') : undefined;
    if (relu === undefined || counts.get(relu.outputs[0] ?? '') !== 1) continue;
    const largest = `${pool.outputs[0]}/before_relu`;
    moved.add(relu);
    pools.set(pool, [
      { ...pool, name: largest, inputs: relu.inputs, outputs: [largest] },
      { ...relu, name: pool.name, inputs: [largest], outputs: pool.outputs },
    ]);
  }
  const nodes = graph.nodes.filter((node) => !moved.has(node)).flatMap((node) => pools.get(node) ?? [node]);
  return { ...model, graph: { ...graph, nodes } };
}

const isPlain = (node: GraphNode, op: string): boolean =>
  node.op === op && node.domain === '' && node.outputs.filter((name) => name !== '').length === 1;
