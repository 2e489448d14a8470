import type { ShapeContext } from '../autodiff/shapes.ts';
import type { GraphNode } from '../model.ts';

/** A convolution (or norm) together with what is computed in the same pass over its result. */
export interface Fusion {
  readonly first: GraphNode;
  /** The value that is added to its result, null where none is. */
  readonly sum: string | null;
  readonly relu: boolean;
}

/**
 * For each node that can take a sum and a Relu with it, the node at which all of it is computed: the last of them. A
 * node is taken along only where nobody else reads what lies between.
 *
 * @param kinds which nodes begin a fusion, and whether they can take a sum.
 * @returns fusions by their last node, and the nodes that are computed later than they stand.
 */
export function findFusions(
  nodes: readonly GraphNode[],
  outputs: ReadonlySet<string>,
  { dimsOf }: ShapeContext,
  kinds: (node: GraphNode) => 'with sum' | 'without sum' | null,
): { readonly fusions: ReadonlyMap<GraphNode, Fusion>; readonly deferred: ReadonlySet<GraphNode> } {
  const readers = readersOf(nodes);
  const fusions = new Map<GraphNode, Fusion>();
  const deferred = new Set<GraphNode>();
  const taken = new Set<GraphNode>();
  const onlyReader = (node: GraphNode): GraphNode | null => {
    const [output = ''] = node.outputs;
    const all = readers.get(output) ?? [];
    return all.length === 1 && !outputs.has(output) ? (all[0] ?? null) : null;
  };
  for (const node of nodes) {
    const kind = kinds(node);
    if (kind === null) continue;
    let last = node;
    let sum: string | null = null;
    const add = kind === 'with sum' ? onlyReader(last) : null;
    if (add?.op === 'Add' && !taken.has(add)) {
      const other = add.inputs.find((input) => input !== last.outputs[0]) ?? '';
      const same = dimsOf(other)?.join() === dimsOf(last.outputs[0] ?? '')?.join();
      if (same && dimsOf(other) !== null) {
        [last, sum] = [add, other];
        taken.add(add);
      }
    }
    const next = onlyReader(last);
    const relu = next?.op === 'Relu';
    if (relu) last = next;
    if (last === node) continue;
    fusions.set(last, { first: node, sum, relu });
    deferred.add(node);
    if (relu && sum !== null && add !== null) deferred.add(add);
  }
  return { fusions, deferred };
}

export function readersOf(nodes: readonly GraphNode[]): ReadonlyMap<string, readonly GraphNode[]> {
  const readers = new Map<string, GraphNode[]>();
  for (const node of nodes) {
    for (const input of node.inputs) {
      const known = readers.get(input);
      if (known === undefined) readers.set(input, [node]);
      else known.push(node);
    }
  }
  return readers;
}
