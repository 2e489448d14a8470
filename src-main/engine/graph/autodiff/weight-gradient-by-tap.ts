import { GraphWriter } from '../blocked/graph-writer.ts';
import { knownShapes } from '../blocked/known-shapes.ts';
import { type GraphNode, intAttribute, type OnnxModel } from '../model.ts';
import { type Dims, imageOf, type ShapeContext, windowOf } from './shapes.ts';
import { isWeightGradient } from './weight-gradient.ts';

/**
 * The same graph with every weight gradient as one matrix product per tap of the kernel, over all images and places. For
 * graphics processors: their convolutions are made for small kernels on large images, not for kernels as large as the
 * image with few results.
 */
export function weightGradientsByTap(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const shapes = knownShapes(graph);
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const writer = new GraphWriter('taps');
  for (const node of graph.nodes) {
    const sized = [node.inputs[0], node.inputs[1], node.outputs[0]].every((name) => isSized(shapes.dimsOf(name ?? '')));
    if (sized && isWeightGradient(node, makers, shapes)) byTap(writer, node, shapes);
    else writer.nodes.push(node);
  }
  const initializers = [...graph.initializers, ...writer.constants];
  return { ...model, graph: { ...graph, nodes: writer.nodes, initializers } };
}

/** True where height and width are numbers. */
const isSized = (dims: Dims | null): boolean =>
  dims?.length === 4 && dims.slice(2).every((size) => typeof size === 'number');

/** Places of a row that every window moves by whole multiples of are the columns of one product. */
function byTap(writer: GraphWriter, node: GraphNode, { dimsOf }: ShapeContext): void {
  const [image = '', filter = ''] = node.inputs;
  const dims = dimsOf(filter) ?? [];
  const { kernel, strides, dilations, pads } = windowOf(node, dims);
  const [height = 1, width = 1] = imageOf(dimsOf(image) ?? []);
  const [rowCount = 1, columnCount = 1] = imageOf(dimsOf(node.outputs[0] ?? '') ?? []);
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  const [kernelHeight = 1, kernelWidth = 1] = kernel;
  const [step = 1] = strides;
  const [down = 1, across = 1] = dilations;
  const channels = [columnCount, across, left, right].reduce(commonDivisor, width);
  const out = Number(dims[0]);
  const group = intAttribute(node, 'group', 1);
  const open = writer.reshape(image, [group, -1, height, width / channels, channels]);
  const border = [0, 0, top, left / channels, 0, 0, 0, bottom, right / channels, 0];
  const padded = writer.emit('Pad', [open, writer.ints(border), writer.number(0)]);
  const rows = writer.reshape(filter, [group, out / group, -1]);
  const taps: string[] = [];
  for (let i = 0; i < rowCount; i++) {
    for (let j = 0; j < columnCount / channels; j++) {
      const starts = [i * step, j];
      const steps = [down, across / channels];
      const ends = [i * step + (kernelHeight - 1) * down + 1, j + (kernelWidth - 1) * (across / channels) + 1];
      const bounds = [starts, ends, [2, 3], steps].map((values) => writer.ints(values));
      const columns = writer.reshape(writer.emit('Slice', [padded, ...bounds]), [group, -1, channels]);
      taps.push(writer.reshape(writer.emit('MatMul', [rows, columns]), [out, 1, channels]));
    }
  }
  const joined = writer.emit('Concat', taps, { axis: { kind: 'int', value: 1 } });
  const [output = ''] = node.outputs;
  writer.emit('Reshape', [joined, writer.ints([1, out, rowCount, columnCount])], {}, { output });
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));
