/** ONNX as plain data: what `proto.ts` reads and writes, what every other file of this folder works on. */

/** Element types of the ONNX specification (TensorProto.DataType) that a vision model can hold. */
export const ELEMENT = {
  float: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  double: 11,
  bfloat16: 16,
} as const;

/** Bytes of one element in raw storage; string tensors have no fixed size. */
export const ELEMENT_BYTES: Readonly<Record<number, number>> = {
  [ELEMENT.float]: 4,
  [ELEMENT.uint8]: 1,
  [ELEMENT.int8]: 1,
  4: 2,
  5: 2,
  [ELEMENT.int32]: 4,
  [ELEMENT.int64]: 8,
  [ELEMENT.bool]: 1,
  [ELEMENT.float16]: 2,
  [ELEMENT.double]: 8,
  12: 4,
  13: 8,
  [ELEMENT.bfloat16]: 2,
};

/** A constant: `data` holds the elements little-endian, row-major (TensorProto.raw_data). */
export interface GraphTensor {
  readonly name: string;
  readonly elementType: number;
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/** A dimension is a number, a symbol such as `N`, or unknown (empty string). */
export type Dimension = number | string;

/** A named value at the graph's border. `dims` is null where the file gives no shape at all. */
export interface GraphValue {
  readonly name: string;
  /** 0 where the value is no tensor. */
  readonly elementType: number;
  readonly dims: readonly Dimension[] | null;
}

export type GraphAttribute =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: GraphTensor }
  | { readonly kind: 'graph'; readonly value: Graph }
  /** Anything rarer (sparse tensors, types, lists of graphs), kept as its message so that it is written back. */
  | { readonly kind: 'opaque'; readonly value: unknown };

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** Empty string = the standard operator set. */
  readonly domain: string;
  /** An empty string stands for an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, GraphAttribute>>;
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly GraphNode[];
  readonly initializers: readonly GraphTensor[];
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: string;
  readonly graph: Graph;
  /** Operator-set version by domain; the standard set is ''. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Model-local functions, kept as messages. */
  readonly functions: readonly unknown[];
}

export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** The elements of a float32 tensor. A view where the bytes are aligned, else a copy. */
export function floatsOf(tensor: GraphTensor): Float32Array {
  const { data } = tensor;
  const count = data.byteLength >> 2;
  if (data.byteOffset % 4 === 0) return new Float32Array(data.buffer, data.byteOffset, count);
  return new Float32Array(new Uint8Array(data).buffer, 0, count);
}

/** True where no value is NaN or infinite. A plain loop: tensors have up to hundreds of millions of elements. */
export function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i += 1) if (!Number.isFinite(values[i])) return false;
  return true;
}

/** The elements of an int64 tensor as numbers (exact below 2^53). */
export function intsOf(tensor: GraphTensor): number[] {
  const view = new DataView(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  if (tensor.elementType === ELEMENT.int32) {
    return Array.from({ length: tensor.data.byteLength >> 2 }, (_, i) => view.getInt32(i * 4, true));
  }
  return Array.from({ length: tensor.data.byteLength >> 3 }, (_, i) => Number(view.getBigInt64(i * 8, true)));
}

/** A float32 constant over the given values; the bytes are shared, not copied. */
export function floatTensor(name: string, dims: readonly number[], values: Float32Array): GraphTensor {
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, elementType: ELEMENT.float, dims, data };
}

export function int64Tensor(name: string, dims: readonly number[], values: readonly number[]): GraphTensor {
  const words = BigInt64Array.from(values, (value) => BigInt(value));
  return { name, elementType: ELEMENT.int64, dims, data: new Uint8Array(words.buffer) };
}

/** The real inputs: older files list their initializers among the inputs too. */
export function freeInputs(graph: Graph): GraphValue[] {
  const constants = new Set(graph.initializers.map((tensor) => tensor.name));
  return graph.inputs.filter((value) => !constants.has(value.name));
}

export function intAttribute(node: GraphNode, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'int' ? attribute.value : fallback;
}

export function intsAttribute(node: GraphNode, name: string): readonly number[] | null {
  const attribute = node.attributes[name];
  return attribute?.kind === 'ints' ? attribute.value : null;
}
