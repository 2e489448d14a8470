import { ancestorNodes, namesRead } from '../cut.ts';
import { ELEMENT, type GraphNode, intAttribute, intsAttribute, type OnnxModel } from '../model.ts';
import { axesOf, type Dims } from './shapes.ts';
import { Tape } from './tape.ts';

/** Operators that treat every element alone (with broadcasting). */
const ELEMENTWISE = new Set(
  (
    'Identity Cast Relu LeakyRelu Tanh Sigmoid Softplus Gelu Erf Exp Log Neg Sqrt Reciprocal Abs Clip Not ' +
    'Add Sub Mul Div Pow Max Min Where Greater Less Equal'
  ).split(' '),
);

/** Operators that treat every image of a batch alone, whatever their attributes. */
const PER_IMAGE = new Set(
  'Conv MaxPool AveragePool GlobalAveragePool BatchNormalization InstanceNormalization'.split(' '),
);

export interface RowSplit {
  /** Everything that treats each row for itself; its outputs are the border. */
  readonly front: OnnxModel;
  /** The rest, with the border values as inputs. */
  readonly back: OnnxModel;
  /** Values with a leading axis of rows, that the back reads of the front. */
  readonly border: readonly { readonly name: string; readonly dims: Dims }[];
  /** Free inputs with a leading axis of rows that the front reads. */
  readonly rowInputs: readonly string[];
}

/**
 * Cuts a graph where rows (the tiles of a bag) first meet: what lies before can be computed for any part of the rows
 * alone, what lies behind sees all of them. Together both give exactly what the graph gives.
 *
 * @param rows the symbol of the leading axis, `N`.
 * @param outputs values the back has to give out.
 */
export function splitRows(model: OnnxModel, rows: string, outputs: readonly string[]): RowSplit {
  const { graph } = model;
  const shapes = new Tape(model, {});
  const nodes = ancestorNodes(graph, outputs);
  const byRow = new Set(graph.inputs.filter(({ dims }) => dims?.[0] === rows).map(({ name }) => name));
  const rowInputs = new Set(byRow);
  const fromRows = new Set(byRow);
  // Values whose rows lie along another axis for a while, as queries, keys and values of attention do.
  const turned = new Map<string, number>();
  const front: GraphNode[] = [];
  for (const node of nodes) {
    const reached = node.inputs.some((name) => fromRows.has(name));
    if (!reached) continue;
    for (const output of node.outputs) fromRows.add(output);
    const axis = isRowWise(node, byRow, fromRows, shapes) ? 0 : turnedAxis(node, byRow, turned, shapes);
    if (axis === null) continue;
    front.push(node);
    for (const output of node.outputs) {
      if (axis === 0) byRow.add(output);
      else turned.set(output, axis);
    }
  }
  // What is made of weights alone (slices of positions, ...) belongs to no row: either part computes what it reads.
  const common = nodes.filter((node) => !node.outputs.some((name) => fromRows.has(name)));
  const inFront = new Set(withoutTurnedEnds(front, nodes, outputs, turned));
  const rest = ancestorNodes({ ...graph, nodes: nodes.filter((node) => !inFront.has(node)) }, outputs);
  const made = new Set(nodes.filter((node) => inFront.has(node)).flatMap((node) => node.outputs));
  const read = new Set([...rest.flatMap(namesRead), ...outputs]);
  const border = [...made].filter((name) => read.has(name)).map((name) => ({ name, dims: shapes.shape(name) }));
  const ends = border.map(({ name }) => name);
  const both = new Set([...common, ...inFront]);
  const first = ancestorNodes({ ...graph, nodes: nodes.filter((node) => both.has(node)) }, ends);
  const frontRead = new Set(first.flatMap(namesRead));
  return {
    front: part(model, first, ends),
    back: withMoreInputs(part(model, rest, outputs), border),
    border,
    rowInputs: [...rowInputs].filter((name) => frontRead.has(name)),
  };
}

/**
 * The axis that the rows of a node's outputs lie along where it moves them there, passes them on or brings them back;
 * null where it does none of it. Operators of attention only: Transpose, Split and Squeeze.
 */
function turnedAxis(
  node: GraphNode,
  byRow: ReadonlySet<string>,
  turned: ReadonlyMap<string, number>,
  shapes: Tape,
): number | null {
  const [first = ''] = node.inputs;
  const from = byRow.has(first) ? 0 : turned.get(first);
  const rank = shapes.dimsOf(first)?.length ?? 0;
  if (from === undefined || rank === 0) return null;
  if (node.op === 'Transpose') {
    const axis = (intsAttribute(node, 'perm') ?? []).indexOf(from);
    return axis < 0 ? null : axis;
  }
  if (node.op === 'Split') {
    const axis = intAttribute(node, 'axis', 0);
    return (axis < 0 ? axis + rank : axis) === from ? null : from;
  }
  if (node.op !== 'Squeeze') return null;
  const axes = axesOf(node, shapes, rank);
  return axes === null || axes.includes(from) ? null : from - axes.filter((axis) => axis < from).length;
}

/** The front without nodes that give the back a value whose rows do not lie along the first axis. */
function withoutTurnedEnds(
  front: readonly GraphNode[],
  nodes: readonly GraphNode[],
  outputs: readonly string[],
  turned: ReadonlyMap<string, number>,
): readonly GraphNode[] {
  const kept = new Set(front);
  for (const node of front.toReversed()) {
    const read = new Set([...nodes.filter((other) => !kept.has(other)).flatMap(namesRead), ...outputs]);
    if (node.outputs.some((name) => turned.has(name) && read.has(name))) kept.delete(node);
  }
  return front.filter((node) => kept.has(node));
}

function withMoreInputs(model: OnnxModel, values: RowSplit['border']): OnnxModel {
  const added = values.map(({ name, dims }) => ({ name, elementType: ELEMENT.float, dims }));
  return { ...model, graph: { ...model.graph, inputs: [...model.graph.inputs, ...added] } };
}

/** The nodes with what they read; free inputs and constants that they do not read are left out. */
function part(model: OnnxModel, nodes: readonly GraphNode[], outputs: readonly string[]): OnnxModel {
  const read = new Set([...nodes.flatMap(namesRead), ...outputs]);
  const { graph } = model;
  return {
    ...model,
    graph: {
      ...graph,
      nodes,
      inputs: graph.inputs.filter(({ name }) => read.has(name)),
      initializers: graph.initializers.filter(({ name }) => read.has(name)),
      outputs: outputs.map((name) => ({ name, elementType: ELEMENT.float, dims: null })),
    },
  };
}

/** True where each row of the outputs depends on the same row of the inputs only. */
function isRowWise(node: GraphNode, byRow: ReadonlySet<string>, fromRows: ReadonlySet<string>, shapes: Tape): boolean {
  // A value that was made of all rows does not belong to one.
  if (node.inputs.some((name) => fromRows.has(name) && !byRow.has(name))) return false;
  const [first = ''] = node.inputs;
  const rank = shapes.dimsOf(first)?.length ?? 0;
  const only = byRow.has(first) && node.inputs.slice(1).every((name) => !fromRows.has(name));
  const result = shapes.dimsOf(node.outputs[0] ?? '');
  const leads = (name: string): boolean => shapes.dimsOf(name)?.length === result?.length;
  if (ELEMENTWISE.has(node.op)) return node.inputs.every((name) => !byRow.has(name) || leads(name));
  if (node.op === 'MatMul') {
    const other = shapes.dimsOf(node.inputs[1] ?? '')?.length;
    // A product of every row of one with the same row of the other, or of rows with one matrix for all.
    if (node.inputs.every((name) => byRow.has(name))) return rank > 2 && other === rank;
    return only && rank >= 2 && other === 2;
  }
  if (node.op === 'Gemm') return only && intAttribute(node, 'transA', 0) === 0;
  // Images of a batch: everything else of a network that leaves the first axis alone.
  const same =
    result?.[0] === shapes.dimsOf(first)?.[0] &&
    (only || (node.op === 'Concat' && node.inputs.every((n) => byRow.has(n))));
  if (!same) return false;
  if (PER_IMAGE.has(node.op)) return true;
  const axisOf = (fallback: number): number => {
    const axis = intAttribute(node, 'axis', fallback);
    return axis < 0 ? axis + rank : axis;
  };
  switch (node.op) {
    case 'Softmax':
    case 'LogSoftmax':
    case 'LayerNormalization':
      return axisOf(-1) > 0;
    case 'Flatten':
      return axisOf(1) === 1;
    case 'Concat':
    case 'Split':
      return axisOf(0) > 0;
    case 'Transpose':
      return (intsAttribute(node, 'perm') ?? [])[0] === 0;
    case 'Gather':
      return axisOf(0) > 0;
    // In row-major order a row stays one wherever the first axis is as long as before.
    case 'Reshape':
    case 'Squeeze':
    case 'Unsqueeze':
      return true;
    case 'Slice': {
      const axes = node.inputs[3] ? shapes.intsOf(node.inputs[3]) : null;
      return axes?.every((axis) => (axis < 0 ? axis + rank : axis) > 0) ?? false;
    }
    case 'Pad': {
      const pads = shapes.intsOf(node.inputs[1] ?? '');
      return pads !== null && !node.inputs[3] && pads[0] === 0 && pads[rank] === 0;
    }
    case 'ReduceMean':
    case 'ReduceSum':
    case 'ReduceMax': {
      const axes = axesOf(node, shapes, rank);
      return axes !== null && axes.length > 0 && !axes.includes(0);
    }
    default:
      return false;
  }
}
