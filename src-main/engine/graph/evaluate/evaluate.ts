import { ELEMENT, floatsOf, type GraphNode, type GraphTensor, intsOf, type OnnxModel } from '../model.ts';
import { elementwise } from './elementwise.ts';
import { type NdArray, ndArray } from './nd-array.ts';
import { matrixProduct } from './products.ts';
import { rearranged } from './rearrange.ts';
import { reduction } from './reduce.ts';
import { windowed } from './windows.ts';

/**
 * Runs an ONNX graph in double precision, one element at a time, straight from the operator specification: slow and
 * independent of any runtime, so that gradients can be judged by central differences.
 *
 * @param feeds the free inputs by name.
 * @returns every value of the graph by name.
 * @throws Error naming the operator where it is not known here.
 */
export function evaluate(model: OnnxModel, feeds: Readonly<Record<string, NdArray>>): ReadonlyMap<string, NdArray> {
  const values = new Map(Object.entries(feeds));
  for (const tensor of model.graph.initializers) {
    if (!values.has(tensor.name)) values.set(tensor.name, constant(tensor));
  }
  for (const node of model.graph.nodes) {
    const results = run(
      node,
      node.inputs.map((name) => (name === '' ? undefined : values.get(name))),
    );
    for (const [i, name] of node.outputs.entries()) {
      const result = results[i];
      if (name !== '' && result !== undefined) values.set(name, result);
    }
  }
  return values;
}

function run(node: GraphNode, inputs: readonly (NdArray | undefined)[]): readonly NdArray[] {
  if (node.op === 'Constant' && node.attributes.value?.kind === 'tensor')
    return [constant(node.attributes.value.value)];
  const present = inputs.filter((input) => input !== undefined);
  const several = windowed(node, present) ?? rearranged(node, inputs);
  if (several !== null) return several;
  const one = matrixProduct(node, present) ?? reduction(node, inputs) ?? elementwise(node, present);
  if (one === null) throw new Error(`the reference evaluator does not know the operator ${node.op}`);
  return [one];
}

function constant(tensor: GraphTensor): NdArray {
  if (tensor.elementType === ELEMENT.bool) return ndArray(tensor.dims, tensor.data);
  const integers = tensor.elementType === ELEMENT.int64 || tensor.elementType === ELEMENT.int32;
  if (!integers && tensor.elementType !== ELEMENT.float) {
    throw new Error(`the reference evaluator does not know element type ${tensor.elementType}`);
  }
  return ndArray(tensor.dims, integers ? intsOf(tensor) : floatsOf(tensor));
}
