import { namesRead } from '../graph/cut.ts';
import {
  ELEMENT,
  type Graph,
  type GraphNode,
  type GraphTensor,
  int64Tensor,
  intAttribute,
  intsAttribute,
  type OnnxModel,
} from '../graph/model.ts';

type Size = readonly [heightPx: number, widthPx: number];

/** Names what `suitCpu` does, for graphs that are kept: change it with the rules below. */
export const SUITED = 'suited 1';

/** Output positions up to which a convolution is worth writing as a matrix product: maps of 8 x 8. */
const SMALL_MAP = 64;
/** From this operator set on, the amount of padding is an input. */
const OLDEST_OPSET = 11;
/** Input channels below which its weights stay in the cache, so that nothing is gained. */
const MANY_CHANNELS = 256;

/**
 * The same network in the form onnxruntime's CPU kernels are fastest at, for the session alone: what is stored, cut,
 * hashed or exported stays as it is. Values differ by rounding only (other orders of the same additions).
 *
 * - A convolution over small maps of many channels reads all its weights for every row of every image; as one matrix
 *   product over all positions of the batch (im2col, Chellapilla et al. 2006) it reads them once.
 * - A 1 x 1 convolution with a stride has no fast kernel of its own; picking every other position first (a 1 x 1 max
 *   pooling) makes it the plain one.
 *
 * @param input size of the images, NCHW.
 */
export function suitCpu(model: OnnxModel, inputName: string, input: Size): OnnxModel {
  const { graph } = model;
  if ((model.opsets[''] ?? 0) < OLDEST_OPSET) return model;
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const sizes = mapSizes(graph, inputName, input);
  const added: GraphTensor[] = [];
  const nodes = graph.nodes.flatMap((node) => {
    const conv = node.op === 'Conv' && node.domain === '' ? describe(node, constants, sizes) : null;
    if (conv === null) return [node];
    if (isStridedPointwise(conv)) return pickThenConvolve(conv);
    if (!isSmallMap(conv)) return [node];
    const made = asProduct(conv);
    added.push(...made.constants);
    return made.nodes;
  });
  if (nodes.length === graph.nodes.length) return model;
  const read = new Set([...nodes.flatMap(namesRead), ...graph.outputs.map(({ name }) => name)]);
  const initializers = [...graph.initializers.filter(({ name }) => read.has(name)), ...added];
  return { ...model, graph: { ...graph, nodes, initializers } };
}

/** A convolution whose weights and sizes are known. */
interface Convolution {
  readonly node: GraphNode;
  readonly weights: GraphTensor;
  readonly from: Size;
  readonly to: Size;
  readonly kernel: Size;
  readonly strides: Size;
  readonly dilations: Size;
  /** Rows and columns of zeros before the first; those after the last follow from `to`. */
  readonly before: Size;
}

function describe(
  node: GraphNode,
  constants: ReadonlyMap<string, GraphTensor>,
  sizes: ReadonlyMap<string, Size>,
): Convolution | null {
  const [x = '', w = ''] = node.inputs;
  const [weights, from, to] = [constants.get(w), sizes.get(x), sizes.get(node.outputs[0] ?? '')];
  if (!from || !to || weights?.elementType !== ELEMENT.float || weights.dims.length !== 4) return null;
  if (intAttribute(node, 'group', 1) !== 1) return null;
  const [, , height = 0, width = 0] = weights.dims;
  const [top = 0, left = 0] = intsAttribute(node, 'pads') ?? [];
  return {
    ...{ node, weights, from, to, kernel: [height, width], before: [top, left] },
    ...{ strides: pair(node, 'strides'), dilations: pair(node, 'dilations') },
  };
}

function pair(node: GraphNode, name: string): Size {
  const [first = 1, second = first] = intsAttribute(node, name) ?? [];
  return [first, second];
}

function isStridedPointwise({ node, kernel, strides }: Convolution): boolean {
  const unpadded = (intsAttribute(node, 'pads') ?? []).every((pad) => pad === 0);
  return unpadded && kernel[0] * kernel[1] === 1 && strides[0] * strides[1] > 1;
}

function isSmallMap({ to, kernel, weights }: Convolution): boolean {
  return to[0] * to[1] <= SMALL_MAP && kernel[0] * kernel[1] > 1 && (weights.dims[1] ?? 0) >= MANY_CHANNELS;
}

function pickThenConvolve({ node, strides }: Convolution): GraphNode[] {
  const [x = '', ...others] = node.inputs;
  const picked = `${node.outputs[0]}.picked`;
  const ints = (value: readonly number[]) => ({ kind: 'ints', value }) as const;
  const pool = { kernel_shape: ints([1, 1]), strides: ints(strides) };
  return [
    made('MaxPool', [x], picked, pool),
    { ...node, inputs: [picked, ...others], attributes: { ...node.attributes, strides: ints([1, 1]) } },
  ];
}

/** Positions become rows, each with the channels of all its taps; outside the image they are a row of zeros. */
function asProduct(conv: Convolution): { readonly nodes: GraphNode[]; readonly constants: GraphTensor[] } {
  const { node, weights, from, to } = conv;
  const [x = '', , bias = ''] = node.inputs;
  const [output = ''] = node.outputs;
  const [outChannels = 0, channels = 0] = weights.dims;
  const [positions, area] = [from[0] * from[1], to[0] * to[1]];
  const name = (part: string) => `${output}.${part}`;
  const constants = [
    int64Tensor(name('flat'), [3], [0, channels, positions]),
    int64Tensor(name('room'), [6], [0, 0, 0, 0, 1, 0]),
    int64Tensor(name('taps'), [area * conv.kernel[0] * conv.kernel[1]], tapTable(conv)),
    int64Tensor(name('wide'), [2], [-1, channels * conv.kernel[0] * conv.kernel[1]]),
    int64Tensor(name('deep'), [3], [-1, area, outChannels]),
    int64Tensor(name('map'), [4], [-1, outChannels, to[0], to[1]]),
    int64Tensor(name('tall'), [2], [-1, outChannels]),
  ];
  const turn = { perm: { kind: 'ints', value: [0, 2, 1] } } as const;
  const nodes = [
    // Constant: onnxruntime computes both once, when the session is opened.
    made('Transpose', [weights.name], name('taps_first'), { perm: { kind: 'ints', value: [2, 3, 1, 0] } }),
    made('Reshape', [name('taps_first'), name('tall')], name('matrix')),
    made('Reshape', [x, name('flat')], name('flattened')),
    made('Transpose', [name('flattened')], name('positions'), turn),
    made('Pad', [name('positions'), name('room')], name('padded')),
    made('Gather', [name('padded'), name('taps')], name('gathered'), { axis: { kind: 'int', value: 1 } }),
    made('Reshape', [name('gathered'), name('wide')], name('rows')),
    made('Gemm', [name('rows'), name('matrix'), ...(bias === '' ? [] : [bias])], name('product')),
    made('Reshape', [name('product'), name('deep')], name('by_image')),
    made('Transpose', [name('by_image')], name('by_channel'), turn),
    made('Reshape', [name('by_channel'), name('map')], output),
  ];
  return { nodes, constants };
}

function made(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: GraphNode['attributes'] = {},
): GraphNode {
  return { name: output, op, domain: '', inputs, outputs: [output], attributes };
}

/** For every output position and tap the input position it reads; the number of positions where that is outside. */
function tapTable({ from, to, kernel, strides, dilations, before }: Convolution): number[] {
  const table: number[] = [];
  for (let row = 0; row < to[0]; row += 1) {
    for (let column = 0; column < to[1]; column += 1) {
      for (let i = 0; i < kernel[0]; i += 1) {
        for (let j = 0; j < kernel[1]; j += 1) {
          const y = row * strides[0] - before[0] + i * dilations[0];
          const x = column * strides[1] - before[1] + j * dilations[1];
          const inside = y >= 0 && y < from[0] && x >= 0 && x < from[1];
          table.push(inside ? y * from[1] + x : from[0] * from[1]);
        }
      }
    }
  }
  return table;
}

const SAME_SIZE = new Set([
  'BatchNormalization',
  'InstanceNormalization',
  'Relu',
  'Clip',
  'LeakyRelu',
  'Sigmoid',
  'Mul',
]);

/** Height and width of the feature maps, as far as they follow from convolutions and what stands between them. */
function mapSizes(graph: Graph, inputName: string, input: Size): ReadonlyMap<string, Size> {
  const sizes = new Map<string, Size>([[inputName, input]]);
  const kernels = new Map(graph.initializers.map(({ name, dims }) => [name, dims.slice(2)]));
  for (const node of graph.nodes) {
    const size = sizeAfter(node, sizes, kernels);
    if (size) for (const output of node.outputs) sizes.set(output, size);
  }
  return sizes;
}

function sizeAfter(
  node: GraphNode,
  sizes: ReadonlyMap<string, Size>,
  kernels: ReadonlyMap<string, readonly number[]>,
): Size | undefined {
  const from = sizes.get(node.inputs[0] ?? '');
  if (from === undefined || node.domain !== '') return undefined;
  if (SAME_SIZE.has(node.op)) return from;
  if (node.op === 'Add' || (node.op === 'Concat' && intAttribute(node, 'axis', 0) === 1)) return sameOf(node, sizes);
  const pools = node.op === 'MaxPool' || node.op === 'AveragePool';
  const kernel = pools
    ? intsAttribute(node, 'kernel_shape')
    : node.op === 'Conv'
      ? kernels.get(node.inputs[1] ?? '')
      : null;
  const autoPad = node.attributes.auto_pad;
  if (kernel?.length !== 2 || (autoPad?.kind === 'string' && autoPad.value !== 'NOTSET')) return undefined;
  const [pads, strides, dilations] = [
    intsAttribute(node, 'pads') ?? [],
    pair(node, 'strides'),
    pair(node, 'dilations'),
  ];
  const side = (axis: 0 | 1): number => {
    const room =
      from[axis] + (pads[axis] ?? 0) + (pads[axis + 2] ?? 0) - dilations[axis] * ((kernel[axis] ?? 1) - 1) - 1;
    return (intAttribute(node, 'ceil_mode', 0) === 1 ? Math.ceil : Math.floor)(room / strides[axis]) + 1;
  };
  return [side(0), side(1)];
}

/** The size all inputs share; unknown where one is, or differs. */
function sameOf(node: GraphNode, sizes: ReadonlyMap<string, Size>): Size | undefined {
  const [first, ...others] = node.inputs.map((name) => sizes.get(name));
  const same = others.every((size) => size?.[0] === first?.[0] && size?.[1] === first?.[1]);
  return same ? first : undefined;
}
