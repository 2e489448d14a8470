import { knownShapes } from '../blocked/known-shapes.ts';
import { namesRead } from '../cut.ts';
import { elementCount, type Graph, type GraphNode, type GraphTensor, int64Tensor, type OnnxModel } from '../model.ts';
import { type ElementChain, elementChains } from './element-chains.ts';

/** Numbers that stay in a processor's caches: those of one strip of all values that a chain takes and gives. */
const CACHED = 2 ** 20;
/** Shorter strips cost more to begin than they save. */
const SHORTEST_STRIP = 2 ** 12;
/** Numbers of a value from which on cutting it up pays. */
const LARGE = 2 ** 17;
/** Nodes below which there is little between them to keep. */
const FEWEST_NODES = 3;

/**
 * The same graph with chains of operators on large values computed strip by strip (ONNX Scan), so that what lies between
 * two operators never leaves the processor's cache: onnxruntime runs one operator after the other over whole tensors, and
 * on a CPU fuses none of these. Every number comes of the same operations in the same order.
 *
 * An output of the graph that only a chain makes and nobody else reads is given out as strips: the same numbers in the
 * same order, [strips, numbers].
 */
export function inStrips(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const readers = readersOf(graph);
  const strips = elementChains(graph, knownShapes(graph), LARGE)
    .filter(({ nodes }) => nodes.length >= FEWEST_NODES)
    .map((chain) => stripsOf(chain, readers))
    .filter(({ gives, dims }) => gives.length > 0 && dims[1] >= SHORTEST_STRIP);
  return strips.length === 0 ? model : { ...model, graph: rewritten(graph, strips, readers) };
}

/** A chain, what it takes and gives, and the strips that it is cut into. */
interface Strips {
  readonly chain: ElementChain;
  /** Values of the chain's shape that come from outside. */
  readonly takes: readonly string[];
  /** Values that are read outside. */
  readonly gives: readonly string[];
  readonly dims: readonly [strips: number, numbers: number];
}

function stripsOf(chain: ElementChain, readers: Readers): Strips {
  const members = new Set<GraphNode | null>(chain.nodes);
  const made = chain.nodes.flatMap(({ outputs }) => outputs);
  const gives = made.filter((value) => [...(readers.get(value) ?? [])].some((reader) => !members.has(reader)));
  const takes = [...chain.full].filter((value) => !made.includes(value));
  const count = elementCount(chain.dims);
  let numbers = Math.min(count, Math.floor(CACHED / (takes.length + gives.length)));
  while (count % numbers !== 0) numbers--;
  return { chain, takes, gives, dims: [count / numbers, numbers] };
}

/** Nodes that are written one after the other. */
interface Unit {
  readonly reads: readonly string[];
  readonly makes: readonly string[];
  readonly nodes: readonly GraphNode[];
}

function rewritten(graph: Graph, all: readonly Strips[], readers: Readers): Graph {
  const constants: GraphTensor[] = [];
  const units = new Map<GraphNode, Unit>();
  const given = new Map<string, readonly number[]>();
  for (const [i, strips] of all.entries()) {
    const unit = written(strips, { name: `strips/${i}`, readers, constants, given });
    for (const node of strips.chain.nodes) units.set(node, unit);
  }
  const ordered = graph.nodes.map((node) => {
    return units.get(node) ?? { reads: namesRead(node), makes: node.outputs, nodes: [node] };
  });
  return {
    ...graph,
    nodes: inOrder(ordered),
    initializers: [...graph.initializers, ...constants],
    outputs: graph.outputs.map((output) => ({ ...output, dims: given.get(output.name) ?? output.dims })),
  };
}

/** Who reads a value; null stands for the one who runs the graph. */
type Readers = ReadonlyMap<string, ReadonlySet<GraphNode | null>>;

function readersOf(graph: Graph): Readers {
  const readers = new Map<string, Set<GraphNode | null>>();
  const add = (name: string, reader: GraphNode | null): void => {
    readers.set(name, (readers.get(name) ?? new Set()).add(reader));
  };
  for (const node of graph.nodes) for (const name of namesRead(node)) add(name, node);
  for (const { name } of graph.outputs) add(name, null);
  return readers;
}

interface Writing {
  readonly name: string;
  readonly readers: Readers;
  /** What is added to the graph's constants. */
  readonly constants: GraphTensor[];
  /** Outputs of the graph that are given out as strips. */
  readonly given: Map<string, readonly number[]>;
}

/** A chain as one Scan, with its values as [strips, numbers of a strip] around it. */
function written({ chain, takes, gives, dims }: Strips, { name, readers, constants, given }: Writing): Unit {
  const members = new Set<GraphNode | null>([...chain.nodes, null]);
  const [asStrips, asWhole] = [dims, chain.dims].map((shape, i) => {
    const tensor = int64Tensor(`${name}/shape${i}`, [shape.length], shape);
    constants.push(tensor);
    return tensor.name;
  });
  const outside = gives.map((value) => {
    const isOutputOnly = [...(readers.get(value) ?? [])].every((reader) => members.has(reader));
    if (isOutputOnly) given.set(value, dims);
    return isOutputOnly ? value : `${value}/strips`;
  });
  const reshape = (from: string, to: string, shape = ''): GraphNode => {
    return { name: to, op: 'Reshape', domain: '', inputs: [from, shape], outputs: [to], attributes: {} };
  };
  const inner = (value: string): string => `${name}/${value}`;
  const scan: GraphNode = {
    ...{ name, op: 'Scan', domain: '', inputs: takes.map((value) => `${inner(value)}/all`), outputs: outside },
    attributes: {
      body: { kind: 'graph', value: body(chain, takes, gives, inner) },
      num_scan_inputs: { kind: 'int', value: takes.length },
    },
  };
  const before = takes.map((value) => reshape(value, `${inner(value)}/all`, asStrips));
  const after = gives.flatMap((value, i) => {
    const from = outside[i] ?? value;
    return from === value ? [] : [reshape(from, value, asWhole)];
  });
  const made = new Set(chain.nodes.flatMap(({ outputs }) => outputs));
  const reads = chain.nodes.flatMap(namesRead).filter((value) => !made.has(value));
  return { reads, makes: gives, nodes: [...before, scan, ...after] };
}

/** What is done with one strip of each value, in types and shapes that follow from it; single numbers are read outside. */
function body(
  { nodes, full }: ElementChain,
  takes: readonly string[],
  gives: readonly string[],
  inner: (value: string) => string,
): Graph {
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const rename = (value: string): string => (full.has(value) || made.has(value) ? inner(value) : value);
  const border = (values: readonly string[]) =>
    values.map((value) => ({ name: inner(value), elementType: 0, dims: null }));
  return {
    name: 'strip',
    nodes: nodes.map((node) => ({
      ...{ ...node, name: `${node.name}/strip` },
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    })),
    initializers: [],
    inputs: border(takes),
    outputs: border(gives),
  };
}

/** Units in an order in which each finds what it reads. */
function inOrder(units: readonly Unit[]): readonly GraphNode[] {
  const makers = new Map(units.flatMap((unit) => unit.makes.map((name) => [name, unit] as const)));
  const done = new Set<Unit>();
  const nodes: GraphNode[] = [];
  const write = (unit: Unit): void => {
    if (done.has(unit)) return;
    done.add(unit);
    for (const name of unit.reads) {
      const maker = makers.get(name);
      if (maker !== undefined) write(maker);
    }
    nodes.push(...unit.nodes);
  };
  for (const unit of units) write(unit);
  return nodes;
}
