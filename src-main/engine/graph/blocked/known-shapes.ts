import { type Dims, inferShapes, type ShapeContext, windowOf } from '../autodiff/shapes.ts';
import {
  ELEMENT,
  type Graph,
  type GraphNode,
  type GraphTensor,
  intAttribute,
  intsAttribute,
  intsOf,
} from '../model.ts';
import { NCHWC } from './graph-writer.ts';

/** Operators whose last input is the shape of their output. */
const LIKE = new Set(['Reshape', 'Expand', 'ConstantOfShape']);

/** Shapes of all values as far as they follow from the graph; null where they do not. Nothing is thrown. */
export function knownShapes(graph: Graph): ShapeContext {
  const dims = new Map<string, Dims>();
  const measured = new Map<string, Dims>();
  const ints = new Map<string, readonly number[]>();
  const context: ShapeContext = {
    dimsOf: (name) => dims.get(name) ?? null,
    intsOf: (name) => ints.get(name) ?? null,
  };
  const declare = (tensor: GraphTensor, name: string): void => {
    dims.set(name, tensor.dims);
    if (tensor.elementType === ELEMENT.int64 || tensor.elementType === ELEMENT.int32) ints.set(name, intsOf(tensor));
  };
  for (const value of graph.inputs) if (value.dims !== null) dims.set(value.name, value.dims);
  for (const tensor of graph.initializers) declare(tensor, tensor.name);
  for (const written of graph.nodes) {
    const node = asPlain(written);
    if (node === null) continue;
    if (node.op === 'Constant') {
      const value = node.attributes.value;
      if (value?.kind === 'tensor') declare(value.value, node.outputs[0] ?? '');
      continue;
    }
    // A value in the shape of another, which only the run would tell.
    const like = LIKE.has(node.op) ? measured.get(node.inputs.at(-1) ?? '') : undefined;
    if (like !== undefined) {
      dims.set(node.outputs[0] ?? '', like);
      continue;
    }
    try {
      const shapes = node.op === 'ConvTranspose' ? [transposed(node, context)] : inferShapes(node, context);
      for (const [i, output] of node.outputs.entries()) {
        const found = shapes[i] ?? shapes[0];
        if (found !== undefined) dims.set(output, found);
      }
      const of = node.op === 'Shape' ? context.dimsOf(node.inputs[0] ?? '') : null;
      if (of !== null) measured.set(node.outputs[0] ?? '', of);
    } catch {
      // An operator that inference does not know: what follows from it stays unknown.
    }
  }
  return context;
}

/** An operator of the blocked layout, whose values keep their shapes, as the standard one; null where it is neither. */
function asPlain(node: GraphNode): GraphNode | null {
  if (node.domain !== NCHWC) return node.domain === '' ? node : null;
  if (node.op === 'ReorderInput') return { ...node, op: 'Identity', domain: '' };
  if (node.op !== 'ReorderOutput') return { ...node, domain: '' };
  if (intAttribute(node, 'channels_last', 0) === 0) return { ...node, op: 'Identity', domain: '' };
  return { ...node, op: 'Transpose', domain: '', attributes: { perm: { kind: 'ints', value: [0, 2, 3, 1] } } };
}

/** (in - 1) stride - pads + dilated kernel + output padding (ONNX operator ConvTranspose). */
function transposed(node: GraphNode, { dimsOf }: ShapeContext): Dims {
  const [dims, weight] = [dimsOf(node.inputs[0] ?? ''), dimsOf(node.inputs[1] ?? '')];
  if (dims === null || weight === null) throw new Error('not known');
  const { kernel, strides, dilations, pads, group } = windowOf(node, weight);
  const more = intsAttribute(node, 'output_padding') ?? [];
  const sizes = dims.slice(2).map((size, i) => {
    if (typeof size !== 'number') throw new Error('not a number');
    const reach = (dilations[i] ?? 1) * ((kernel[i] ?? 1) - 1) + 1;
    const cut = (pads[i] ?? 0) + (pads[i + kernel.length] ?? 0);
    return (size - 1) * (strides[i] ?? 1) - cut + reach + (more[i] ?? 0);
  });
  return [dims[0] ?? 1, Number(weight[1]) * group, ...sizes];
}
