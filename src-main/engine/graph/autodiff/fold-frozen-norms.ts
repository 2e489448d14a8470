import {
  elementCount,
  floatsOf,
  floatTensor,
  type GraphNode,
  type GraphTensor,
  int64Tensor,
  type OnnxModel,
} from '../model.ts';
import type { Dims } from './shapes.ts';
import { Tape } from './tape.ts';

/** What is to be trained decides where folding pays. */
export interface FoldOptions {
  /** Names of the constants that are trained. */
  readonly trained: ReadonlySet<string>;
  /** Names of BatchNormalization nodes that normalise by the batch: never folded. */
  readonly batchNorms?: ReadonlySet<string>;
  /** Shapes of the free inputs, as for `differentiate`. */
  readonly inputDims?: Readonly<Record<string, Dims>>;
  /** Values that somebody reads besides the graph: outputs, what is watched. */
  readonly read?: readonly string[];
}

/** Images in a batch whose size is not known beforehand. */
const TYPICAL_BATCH = 8;

/**
 * The same network with each frozen BatchNormalization that follows a convolution written into its weights, as part of
 * the graph: y = conv(x, k w) + (shift + k (bias - mean)), k = scale / sqrt(variance + epsilon). Weights, scale and shift
 * are still what is trained, and the gradients that follow from the new form are the same ones: that of the scale is
 * the product of the weights with the gradient of the folded weights, so that no pass over the feature maps is left of
 * the norm, forward or backward (Jacob et al., 2018, section 3.2, fold norms in training too).
 *
 * Left as they are: norms of the batch, those whose weights would be differentiated for their sake alone, and those of
 * maps smaller than the kernels, where the passes over the weights cost more.
 */
export function foldFrozenNorms(model: OnnxModel, options: FoldOptions): OnnxModel {
  const { graph } = model;
  if (!graph.nodes.some(({ op }) => op === 'BatchNormalization')) return model;
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const readers = countReaders(graph.nodes, [...(options.read ?? []), ...graph.outputs.map(({ name }) => name)]);
  const shapes = new Tape(model, options.inputDims ?? {}, options.batchNorms);
  const dropped = new Set<GraphNode>();
  const folded = new Map<GraphNode, Folded>();
  for (const norm of graph.nodes) {
    const conv = norm.op === 'BatchNormalization' ? makers.get(norm.inputs[0] ?? '') : undefined;
    if (conv?.op !== 'Conv' || readers.get(conv.outputs[0] ?? '') !== 1) continue;
    if (options.batchNorms?.has(norm.name) || !pays(conv, norm, shapes, constants, options.trained)) continue;
    dropped.add(conv);
    folded.set(norm, fold(conv, norm, constants));
  }
  const parts = [...folded.values()];
  const nodes = graph.nodes.filter((node) => !dropped.has(node)).flatMap((node) => folded.get(node)?.nodes ?? [node]);
  const initializers = [...graph.initializers, ...parts.flatMap((part) => part.constants)];
  return { ...model, graph: { ...graph, nodes, initializers } };
}

interface Folded {
  readonly nodes: readonly GraphNode[];
  readonly constants: readonly GraphTensor[];
}

function countReaders(nodes: readonly GraphNode[], others: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of [...nodes.flatMap(({ inputs }) => inputs), ...others])
    counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function pays(
  conv: GraphNode,
  norm: GraphNode,
  shapes: Tape,
  constants: ReadonlyMap<string, GraphTensor>,
  trained: ReadonlySet<string>,
): boolean {
  const [, w = '', bias = ''] = conv.inputs;
  const [, scale = '', shift = '', mean = '', variance = ''] = norm.inputs;
  const weights = constants.get(w);
  const all = [scale, shift, mean, variance, ...(bias === '' ? [] : [bias])];
  if (weights?.dims.length !== 4 || !all.every((name) => constants.has(name))) return false;
  if ([mean, variance].some((name) => trained.has(name))) return false;
  if (trained.has(scale) && !trained.has(w)) return false;
  if (!trained.has(scale) && !trained.has(w)) return true;
  const [batch, , ...places] = shapes.shape(conv.outputs[0] ?? '');
  const images = typeof batch === 'number' ? batch : TYPICAL_BATCH;
  return images * elementCount(places.map(Number)) >= elementCount(weights.dims.slice(1));
}

function fold(conv: GraphNode, norm: GraphNode, constants: ReadonlyMap<string, GraphTensor>): Folded {
  const [x = '', w = '', bias = ''] = conv.inputs;
  const [, scale = '', shift = '', meanName = '', varianceName = ''] = norm.inputs;
  const [output = ''] = norm.outputs;
  const [mean, variance] = [meanName, varianceName].map((name) => floatsOfNamed(constants, name));
  const epsilon = norm.attributes.epsilon?.kind === 'float' ? norm.attributes.epsilon.value : 1e-5;
  const channels = mean?.length ?? 0;
  const name = (part: string): string => `${output}/folded_${part}`;
  const inverse = Float32Array.from(variance ?? [], (value) => 1 / Math.sqrt(value + epsilon));
  const tensors = [
    floatTensor(name('inverse'), [channels], inverse),
    floatTensor(
      name('minus_mean'),
      [channels],
      Float32Array.from(mean ?? [], (value) => -value),
    ),
    int64Tensor(name('wide'), [4], [channels, 1, 1, 1]),
  ];
  const make = (op: string, inputs: readonly string[], part: string): GraphNode => {
    return { name: name(part), op, domain: '', inputs, outputs: [name(part)], attributes: {} };
  };
  const offset = bias === '' ? name('minus_mean') : name('centre');
  const nodes = [
    make('Mul', [scale, name('inverse')], 'slope'),
    make('Reshape', [name('slope'), name('wide')], 'slope_wide'),
    make('Mul', [w, name('slope_wide')], 'weight'),
    ...(bias === '' ? [] : [make('Add', [bias, name('minus_mean')], 'centre')]),
    make('Mul', [offset, name('slope')], 'moved'),
    make('Add', [shift, name('moved')], 'bias'),
    { ...conv, inputs: [x, name('weight'), name('bias')], outputs: [output] },
  ];
  return { nodes, constants: tensors };
}

function floatsOfNamed(constants: ReadonlyMap<string, GraphTensor>, name: string): Float32Array {
  const tensor = constants.get(name);
  return tensor === undefined ? new Float32Array() : floatsOf(tensor);
}
