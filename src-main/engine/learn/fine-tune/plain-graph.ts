import type { InputSpec } from '../../../../src-shared/model/backbone.ts';
import { ancestorNodes } from '../../graph/cut.ts';
import {
  ELEMENT,
  floatTensor,
  type GraphNode,
  type GraphTensor,
  int64Tensor,
  type OnnxModel,
} from '../../graph/model.ts';
import { encodeModel } from '../../graph/proto.ts';
import { loadRuntime, openSession, runFailure } from '../../infer/runtime.ts';

/** The operator set that gradient graphs are written in, and the oldest that reads the same where it is raised to it. */
const RAISED_TO = 16;
const RAISED_FROM = 13;

/** Inputs by operator that hold shapes, axes and positions: whole numbers, int64 by the specification. */
const WHOLE_NUMBERS: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Pad: [1],
  Slice: [1, 2, 3, 4],
  Gather: [1],
  Split: [1],
  Squeeze: [1],
  Unsqueeze: [1],
  ReduceSum: [1],
};

/** Sizes of the two batches whose shapes are compared. */
const BATCHES = [2, 3] as const;

/**
 * A network as the gradients can be written for it: what its exporter computes of shapes and positions while it runs
 * (Shape, Gather, Concat, ... in front of a Reshape, a Slice or a Pad) stands there as numbers, with -1 for the axis that
 * grows with the batch. They are read off by running those parts with two batches. Operator sets 13 to 15 are raised to
 * 16, whose operators read the same here (ONNX changelog: new element types, attributes with a default that keeps the
 * former meaning). No weight is touched, and no name of a value that is kept.
 *
 * @throws AppError BackboneFailed where the network does not run with two images.
 */
export async function plainGraph(model: OnnxModel, input: InputSpec, inputName: string): Promise<OnnxModel> {
  const opset = model.opsets[''] ?? 0;
  const known = constantsAsInitializers(model);
  const raised =
    opset >= RAISED_FROM && opset < RAISED_TO && !known.graph.nodes.some(changedMeanwhile)
      ? { ...known, opsets: { ...known.opsets, '': RAISED_TO } }
      : known;
  const computed = computedNumbers(raised);
  if (computed.length === 0) return raised;
  const [two = new Map(), three = new Map()] = await valuesOf(raised, computed, input, inputName);
  const taken = new Set(raised.graph.initializers.map(({ name }) => name));
  const numbers: ReturnType<typeof int64Tensor>[] = [];
  const plain = (node: GraphNode): GraphNode => {
    const inputs = node.inputs.map((name, position) => {
      if (!(WHOLE_NUMBERS[node.op]?.includes(position) ?? false) || !computed.includes(name)) return name;
      const values = settled(two.get(name), three.get(name), node.op === 'Reshape');
      if (values === null) return name;
      const own = `${name}/${node.op === 'Reshape' ? 'shape' : 'plain'}`;
      if (!taken.has(own)) numbers.push(int64Tensor(own, values.dims, values.values));
      taken.add(own);
      return own;
    });
    return { ...node, inputs };
  };
  const nodes = raised.graph.nodes.map(plain);
  return { ...raised, graph: { ...raised.graph, nodes, initializers: [...raised.graph.initializers, ...numbers] } };
}

/** The same network with its Constant nodes kept where all other constants are. */
export function constantsAsInitializers(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const found = new Map<GraphNode, GraphTensor>();
  for (const node of graph.nodes) {
    const tensor = node.op === 'Constant' ? constantOf(node) : null;
    if (tensor !== null) found.set(node, tensor);
  }
  if (found.size === 0) return model;
  const nodes = graph.nodes.filter((node) => !found.has(node));
  return { ...model, graph: { ...graph, nodes, initializers: [...graph.initializers, ...found.values()] } };
}

/** The value of a Constant node; null where it is a text or sparse. */
function constantOf({ attributes, outputs }: GraphNode): GraphTensor | null {
  const name = outputs[0] ?? '';
  const [value] = Object.values(attributes);
  if (value?.kind === 'tensor') return { ...value.value, name };
  if (value?.kind === 'float') return floatTensor(name, [], Float32Array.of(value.value));
  if (value?.kind === 'floats') return floatTensor(name, [value.value.length], Float32Array.from(value.value));
  if (value?.kind === 'int') return int64Tensor(name, [], [value.value]);
  if (value?.kind === 'ints') return int64Tensor(name, [value.value.length], value.value);
  return null;
}

/** Operators whose meaning changed between operator sets 13 and 16. */
function changedMeanwhile({ op, outputs }: GraphNode): boolean {
  return op === 'RoiAlign' || (op === 'BatchNormalization' && outputs.filter((name) => name !== '').length > 1);
}

/** Names of shapes and positions that are no constants of the graph. */
function computedNumbers({ graph }: OnnxModel): readonly string[] {
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const read = graph.nodes.flatMap(({ op, inputs }) => (WHOLE_NUMBERS[op] ?? []).map((position) => inputs[position]));
  return [...new Set(read.filter((name): name is string => name !== undefined && made.has(name)))];
}

interface Numbers {
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

/** What the named values are for each of the two batches. */
async function valuesOf(
  model: OnnxModel,
  names: readonly string[],
  { layout, heightPx, widthPx }: InputSpec,
  inputName: string,
): Promise<ReadonlyMap<string, Numbers>[]> {
  const outputs = names.map((_, i) => ({ name: `hyaline.numbers.${i}`, elementType: ELEMENT.int64, dims: null }));
  const cast = names.map((name, i): GraphNode => {
    const output = `hyaline.numbers.${i}`;
    const attributes = { to: { kind: 'int', value: ELEMENT.int64 } } as const;
    return { name: output, op: 'Cast', domain: '', inputs: [name], outputs: [output], attributes };
  });
  const { graph } = model;
  const nodes = [...ancestorNodes(graph, names), ...cast];
  const place = layout === 'NCHW' ? [3, heightPx, widthPx] : [heightPx, widthPx, 3];
  const inputs = graph.inputs.map((value) => (value.name === inputName ? { ...value, dims: ['N', ...place] } : value));
  const reading = { ...model, graph: { ...graph, nodes, inputs, outputs } };
  const { Tensor } = await loadRuntime();
  const session = await openSession({ model: encodeModel(reading), provider: 'cpu', threads: 1 });
  const size = place.reduce((product, side) => product * side, 1);
  try {
    const found: ReadonlyMap<string, Numbers>[] = [];
    for (const batch of BATCHES) {
      const images = new Tensor('float32', new Float32Array(batch * size), [batch, ...place]);
      const feeds = session.inputNames.includes(inputName) ? { [inputName]: images } : {};
      const results = await session.run(feeds);
      const numbers = outputs.map(({ name: output }, i): readonly [string, Numbers] => {
        const tensor = results[output];
        const values = Array.from((tensor?.data ?? []) as ArrayLike<bigint>, Number);
        return [names[i] ?? '', { dims: tensor?.dims ?? [], values }];
      });
      found.push(new Map(numbers));
    }
    return found;
  } catch (cause) {
    throw runFailure(cause);
  } finally {
    await session.release();
  }
}

/** One set of numbers for any batch; null where there is none. */
function settled(two: Numbers | undefined, three: Numbers | undefined, isShape: boolean): Numbers | null {
  if (two === undefined || three === undefined || two.values.length !== three.values.length) return null;
  let growing = 0;
  const values = two.values.map((value, i) => {
    if (value === three.values[i]) return value;
    growing++;
    return -1;
  });
  if (growing === 0) return { dims: two.dims, values };
  return isShape && growing === 1 && !two.values.includes(-1) ? { dims: two.dims, values } : null;
}
