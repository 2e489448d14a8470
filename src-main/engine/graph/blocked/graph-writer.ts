import type { GraphAttribute, GraphNode, GraphTensor } from '../model.ts';
import { floatTensor, int64Tensor } from '../model.ts';

/** Operators of onnxruntime in the layout whose innermost axis is a block of channels. */
export const NCHWC = 'com.microsoft.nchwc';

/** Collects the nodes of a graph that is written anew. */
export class GraphWriter {
  readonly nodes: GraphNode[] = [];
  readonly constants: GraphTensor[] = [];
  readonly #ints = new Map<string, string>();
  readonly #prefix: string;
  #count = 0;

  /** @param prefix of the names it makes: those of graphs written one after the other must differ. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Adds a node with one output and returns its name. */
  emit(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, GraphAttribute>> = {},
    { domain = '', output = this.unique(op) }: { readonly domain?: string; readonly output?: string } = {},
  ): string {
    this.nodes.push({ name: output, op, domain, inputs, outputs: [output], attributes });
    return output;
  }

  ints(values: readonly number[]): string {
    const key = values.join();
    const known = this.#ints.get(key);
    if (known !== undefined) return known;
    const tensor = int64Tensor(this.unique('ints'), [values.length], values);
    this.constants.push(tensor);
    this.#ints.set(key, tensor.name);
    return tensor.name;
  }

  number(value: number): string {
    return this.floats([], Float32Array.of(value));
  }

  floats(dims: readonly number[], values: Float32Array): string {
    const tensor = floatTensor(this.unique('floats'), dims, values);
    this.constants.push(tensor);
    return tensor.name;
  }

  reshape(value: string, dims: readonly number[]): string {
    return this.emit('Reshape', [value, this.ints(dims)]);
  }

  transpose(value: string, perm: readonly number[]): string {
    return this.emit('Transpose', [value], { perm: { kind: 'ints', value: perm } });
  }

  unique(label: string): string {
    return `${this.#prefix}/${label}_${this.#count++}`;
  }
}
