import { ancestorNodes } from '../graph/cut.ts';
import type { Graph, GraphNode } from '../graph/model.ts';

/** A place where a network may be cut, before its size has been measured. */
export interface CutCandidate {
  readonly tensor: string;
  readonly kind: 'add' | 'concat' | 'pool';
}

const ACTIVATIONS = new Set(['Relu', 'Clip', 'LeakyRelu', 'PRelu', 'Elu', 'Gelu', 'HardSwish']);

/**
 * Places where all information of a network comes together: residual additions (after the activation that follows, if
 * it is their only use), concatenations of branches and max pooling, on the way to the feature tensor. Additions of
 * constants (biases, position tables) are no residuals.
 */
export function findCutCandidates(graph: Graph, features: string): CutCandidate[] {
  const constants = new Set(graph.initializers.map((tensor) => tensor.name));
  for (const node of graph.nodes) if (node.op === 'Constant') for (const name of node.outputs) constants.add(name);
  const readers = new Map<string, GraphNode[]>();
  for (const node of graph.nodes) {
    for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const candidates: CutCandidate[] = [];
  for (const node of ancestorNodes(graph, [features])) {
    const kind = kindOf(node);
    if (!kind || node.inputs.filter((name) => !constants.has(name)).length < (kind === 'pool' ? 1 : 2)) continue;
    const output = node.outputs[0] ?? '';
    const [only, ...others] = readers.get(output) ?? [];
    const activated = only && others.length === 0 && ACTIVATIONS.has(only.op) ? (only.outputs[0] ?? output) : output;
    candidates.push({ tensor: activated, kind });
  }
  return candidates;
}

function kindOf(node: GraphNode): CutCandidate['kind'] | null {
  if (node.op === 'Add') return 'add';
  if (node.op === 'Concat') return 'concat';
  return node.op === 'MaxPool' ? 'pool' : null;
}

const MANY = 24;

/** Keeps all of a few, else the last of each run with the same dims (the ends of a network's stages). */
export function thinCandidates<T extends { readonly dims: readonly number[] }>(candidates: readonly T[]): readonly T[] {
  if (candidates.length <= MANY) return candidates;
  const sizeOf = (candidate: T | undefined): string => candidate?.dims.slice(candidate.dims.length - 2).join('x') ?? '';
  const ends = candidates.filter((candidate, i) => sizeOf(candidate) !== sizeOf(candidates[i + 1]));
  return ends.length >= 2 ? ends : candidates;
}
