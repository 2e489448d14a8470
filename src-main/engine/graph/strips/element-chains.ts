import type { ShapeContext } from '../autodiff/shapes.ts';
import { namesRead } from '../cut.ts';
import { elementCount, type Graph, type GraphNode } from '../model.ts';

/** Operators that make each number from the numbers at the same place. */
const ELEMENTWISE = new Set(
  (
    'Add Sub Mul Div Pow Min Max Neg Abs Sign Sqrt Exp Log Reciprocal Erf Relu LeakyRelu Sigmoid HardSigmoid Tanh Clip ' +
    'Greater GreaterOrEqual Less LessOrEqual Equal Not And Or Where Cast'
  ).split(' '),
);

/** Nodes on each number by itself, all of one shape, that can be computed together. */
export interface ElementChain {
  readonly nodes: readonly GraphNode[];
  readonly dims: readonly number[];
  /** What the nodes read that has the shape of the chain; the rest is single numbers. */
  readonly full: ReadonlySet<string>;
}

/**
 * Finds what can be computed together: nodes over one shape that read each other's results, as many as there are without
 * one of them waiting for a value that itself waits for another of them.
 *
 * @param least numbers in a value from which on it is looked at.
 */
export function elementChains(graph: Graph, shapes: ShapeContext, least: number): readonly ElementChain[] {
  const grouping = new Grouping();
  for (const node of graph.nodes) {
    const dims = shapeOfAll(node, shapes, least);
    if (dims === null) grouping.passBy(node);
    else grouping.join(node, dims);
  }
  const order = new Map(graph.nodes.map((node, i) => [node, i]));
  return grouping.groups().map(({ nodes: members, dims }) => {
    const nodes = members.toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
    const read = nodes.flatMap(namesRead).filter((name) => shapes.dimsOf(name)?.join() === dims.join());
    return { nodes, dims, full: new Set(read) };
  });
}

/** The one shape of a node's output and inputs, single numbers aside; null where it does not work on each number alone. */
function shapeOfAll(node: GraphNode, { dimsOf }: ShapeContext, least: number): readonly number[] | null {
  if (node.domain !== '' || !ELEMENTWISE.has(node.op) || node.outputs.length !== 1) return null;
  const dims = dimsOf(node.outputs[0] ?? '');
  if (dims === null || !dims.every((size) => typeof size === 'number')) return null;
  const sizes = dims.map(Number);
  if (elementCount(sizes) < least) return null;
  const fits = node.inputs.every((input) => {
    if (input === '') return true;
    const given = dimsOf(input);
    return given !== null && (given.join() === sizes.join() || given.length === 0 || given.join() === '1');
  });
  return fits ? sizes : null;
}

interface Group {
  readonly nodes: GraphNode[];
  readonly dims: readonly number[];
  /** Groups that must be computed before this one. */
  readonly needs: Set<Group>;
}

class Grouping {
  /** Values made by a group. */
  readonly #made = new Map<string, Group>();
  /** Other values: the groups they wait for. */
  readonly #behind = new Map<string, ReadonlySet<Group>>();
  readonly #groups = new Set<Group>();

  /** A node outside of all groups. */
  passBy(node: GraphNode): void {
    const before = new Set(namesRead(node).flatMap((name) => [...this.#before(name)]));
    for (const output of node.outputs) this.#behind.set(output, before);
  }

  /** A node that joins the groups it reads from, as far as it may, or begins one. */
  join(node: GraphNode, dims: readonly number[]): void {
    const read = namesRead(node);
    let group: Group | null = null;
    for (const name of read) {
      const other = this.#made.get(name);
      if (other === undefined || other === group || other.dims.join() !== dims.join()) continue;
      if (!this.#mayJoin(other, read)) continue;
      if (group === null) group = other;
      else if (!reaches(group, other) && !reaches(other, group)) group = this.#merge(group, other);
    }
    if (group === null) {
      group = { nodes: [], dims, needs: new Set() };
      this.#groups.add(group);
    }
    for (const name of read) for (const before of this.#before(name)) if (before !== group) group.needs.add(before);
    group.nodes.push(node);
    for (const output of node.outputs) this.#made.set(output, group);
  }

  groups(): readonly Group[] {
    return [...this.#groups];
  }

  #before(name: string): ReadonlySet<Group> {
    const group = this.#made.get(name);
    return group === undefined ? (this.#behind.get(name) ?? new Set()) : new Set([group]);
  }

  /** False where something that is read waits for the group itself. */
  #mayJoin(group: Group, read: readonly string[]): boolean {
    return read.every((name) => {
      if (this.#made.get(name) === group) return true;
      return [...this.#before(name)].every((before) => before !== group && !reaches(before, group));
    });
  }

  #merge(group: Group, other: Group): Group {
    group.nodes.push(...other.nodes);
    for (const need of other.needs) group.needs.add(need);
    this.#groups.delete(other);
    for (const { outputs } of other.nodes) for (const output of outputs) this.#made.set(output, group);
    for (const each of this.#groups) if (each.needs.delete(other)) each.needs.add(group);
    for (const [name, before] of this.#behind) {
      if (before.has(other)) this.#behind.set(name, new Set([...before, group].filter((each) => each !== other)));
    }
    return group;
  }
}

/** True where a group waits for another one, directly or through others. */
function reaches(from: Group, to: Group): boolean {
  const seen = new Set<Group>();
  const queue = [...from.needs];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (next === to) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    queue.push(...next.needs);
  }
  return false;
}
