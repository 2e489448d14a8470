import type { RandomStream } from '../../backbone/random-stream.ts';
import { ELEMENT, floatsOf, type GraphNode, type GraphValue, type OnnxModel } from '../model.ts';
import type { Dims } from './shapes.ts';
import { Tape } from './tape.ts';

/** A mask that the graph takes as an input: 0 for what is dropped, 1 / (1 - ratio) for what is kept. */
export interface DropoutMask {
  readonly input: string;
  readonly dims: Dims;
  /** Share that is dropped. */
  readonly ratio: number;
}

/**
 * Replaces every Dropout by a product with a mask that is an input of the graph. Random numbers of a runtime differ
 * from provider to provider and from run to run; a mask drawn here makes a training repeatable by its seed.
 *
 * @param inputDims shapes of the free inputs, as for `differentiate`.
 */
export function withDropoutMasks(
  model: OnnxModel,
  inputDims: Readonly<Record<string, Dims>> = {},
): { readonly model: OnnxModel; readonly masks: readonly DropoutMask[] } {
  if (!model.graph.nodes.some((node) => node.op === 'Dropout')) return { model, masks: [] };
  const shapes = new Tape(model, inputDims);
  const masks: DropoutMask[] = [];
  const nodes = model.graph.nodes.map((node, i) => {
    if (node.op !== 'Dropout') return node;
    const ratio = ratioOf(model, node);
    const [x = ''] = node.inputs;
    if (ratio === 0) return { ...node, op: 'Identity', inputs: [x], outputs: node.outputs.slice(0, 1), attributes: {} };
    const input = `dropout/${i}`;
    masks.push({ input, dims: shapes.shape(x), ratio });
    return { ...node, op: 'Mul', inputs: [x, input], outputs: node.outputs.slice(0, 1), attributes: {} };
  });
  const added = masks.map(({ input, dims }): GraphValue => ({ name: input, elementType: ELEMENT.float, dims }));
  return { model: { ...model, graph: { ...model.graph, nodes, inputs: [...model.graph.inputs, ...added] } }, masks };
}

/** The ratio is an attribute before operator set 12 and a constant input since; 0.5 where neither is given. */
function ratioOf(model: OnnxModel, node: GraphNode): number {
  const attribute = node.attributes.ratio;
  if (attribute?.kind === 'float' || attribute?.kind === 'int') return attribute.value;
  const tensor = model.graph.initializers.find(({ name }) => name === node.inputs[1]);
  if (node.inputs[1] && tensor === undefined) throw new Error('the ratio of a Dropout must be a constant');
  const ratio = tensor === undefined ? 0.5 : (floatsOf(tensor)[0] ?? 0.5);
  if (!(ratio >= 0 && ratio < 1)) throw new Error(`a Dropout drops a share of ${ratio}`);
  return ratio;
}

/** Draws a mask: each element is dropped with probability `ratio`, the kept ones make up for it. */
export function drawMask(stream: RandomStream, count: number, ratio: number): Float32Array {
  const kept = 1 / (1 - ratio);
  return Float32Array.from({ length: count }, () => (stream.nextUniform() < ratio ? 0 : kept));
}
