import protobuf from 'protobufjs/light.js';
import { AppError } from '../../../src-shared/errors.ts';
import type { Dimension, Graph, GraphAttribute, GraphNode, GraphTensor, GraphValue, OnnxModel } from './model.ts';
import { ELEMENT, ELEMENT_BYTES, elementCount } from './model.ts';
import { ONNX_SCHEMA } from './onnx-schema.ts';

/** Protobuf cannot hold more in one message; ONNX files beyond it keep their weights in a second file. */
export const MAX_MODEL_BYTES = 2 ** 31 - 1;

/** Reads a slice of a file that lies beside the model: `location` is the relative path the model names. */
export type ReadExternal = (location: string, offset: number, length: number | null) => Uint8Array;

const ModelProto = protobuf.Root.fromJSON(ONNX_SCHEMA).lookupType('onnx.ModelProto');

/** The attribute types of the specification (AttributeProto.AttributeType) that have a form of their own here. */
const ATTRIBUTE = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7, strings: 8 } as const;

interface WireEntry {
  key?: string;
  value?: string;
}
interface WireTensor {
  name?: string;
  dims?: number[];
  dataType?: number;
  rawData?: Uint8Array;
  floatData?: number[];
  int32Data?: number[];
  int64Data?: number[];
  doubleData?: number[];
  uint64Data?: number[];
  externalData?: WireEntry[];
  dataLocation?: number;
}
interface WireAttribute {
  name?: string;
  type?: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: WireTensor;
  g?: WireGraph;
  floats?: number[];
  ints?: number[];
  strings?: Uint8Array[];
  refAttrName?: string;
}
interface WireNode {
  name?: string;
  opType?: string;
  domain?: string;
  input?: string[];
  output?: string[];
  attribute?: WireAttribute[];
}
interface WireValue {
  name?: string;
  type?: { tensorType?: { elemType?: number; shape?: { dim?: { dimValue?: number; dimParam?: string }[] } } };
}
interface WireGraph {
  name?: string;
  node?: WireNode[];
  initializer?: WireTensor[];
  sparseInitializer?: unknown[];
  input?: WireValue[];
  output?: WireValue[];
}
interface WireModel {
  irVersion?: number;
  producerName?: string;
  graph?: WireGraph;
  opsetImport?: { domain?: string; version?: number }[];
  metadataProps?: WireEntry[];
  functions?: unknown[];
}

function unreadable(message: string, advice: string, cause?: unknown): AppError {
  return new AppError('BackboneUnreadable', message, { advice, detail: cause ? String(cause) : '', cause });
}

/**
 * Reads an ONNX file.
 *
 * @param readExternal where weights lie in a second file; without it such a model is refused.
 * @throws AppError BackboneUnreadable where the bytes are no ONNX model, are cut short, or name external data that
 * cannot be read.
 * @see ONNX IR specification, https://github.com/onnx/onnx/blob/main/docs/IR.md
 */
export function decodeModel(bytes: Uint8Array, readExternal?: ReadExternal): OnnxModel {
  let wire: WireModel;
  try {
    wire = ModelProto.toObject(ModelProto.decode(bytes), { longs: Number });
  } catch (cause) {
    const advice = 'Export or download it again; the file must be complete.';
    throw unreadable('This file is not an ONNX model, or it is cut short.', advice, cause);
  }
  if (!wire.graph?.node?.length || !wire.opsetImport?.length) {
    throw unreadable('This file holds no network.', 'Choose an ONNX model with at least one operator.');
  }
  return {
    irVersion: wire.irVersion ?? 0,
    producer: wire.producerName ?? '',
    graph: readGraph(wire.graph, readExternal),
    opsets: Object.fromEntries(wire.opsetImport.map((set) => [set.domain ?? '', set.version ?? 0])),
    metadata: Object.fromEntries((wire.metadataProps ?? []).map((entry) => [entry.key ?? '', entry.value ?? ''])),
    functions: wire.functions ?? [],
  };
}

/**
 * Writes an ONNX file; the same model gives the same bytes.
 *
 * @throws AppError BackboneShapeUnsupported where the model exceeds protobuf's 2 GB.
 */
export function encodeModel(model: OnnxModel): Uint8Array {
  const weights = model.graph.initializers.reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
  if (weights > MAX_MODEL_BYTES - 64 * 1024 * 1024) {
    throw new AppError('BackboneShapeUnsupported', 'This network is larger than the 2 GB one ONNX file can hold.', {
      advice: 'Use a smaller network.',
    });
  }
  const wire: WireModel = {
    irVersion: model.irVersion,
    producerName: model.producer,
    graph: writeGraph(model.graph),
    opsetImport: Object.entries(model.opsets).map(([domain, version]) => ({ domain, version })),
    metadataProps: Object.entries(model.metadata).map(([key, value]) => ({ key, value })),
    functions: [...model.functions],
  };
  return ModelProto.encode(ModelProto.fromObject(wire)).finish();
}

function readGraph(wire: WireGraph, readExternal?: ReadExternal): Graph {
  if (wire.sparseInitializer?.length) {
    throw unreadable('This network stores sparse weights, which Hyaline cannot read.', 'Export it with dense weights.');
  }
  return {
    name: wire.name ?? '',
    nodes: (wire.node ?? []).map((node) => readNode(node, readExternal)),
    initializers: (wire.initializer ?? []).map((tensor) => readTensor(tensor, readExternal)),
    inputs: (wire.input ?? []).map(readValue),
    outputs: (wire.output ?? []).map(readValue),
  };
}

function readNode(wire: WireNode, readExternal?: ReadExternal): GraphNode {
  const attributes = (wire.attribute ?? []).map((attribute) => {
    return [attribute.name ?? '', readAttribute(attribute, readExternal)] as const;
  });
  return {
    name: wire.name ?? '',
    op: wire.opType ?? '',
    domain: wire.domain === 'ai.onnx' ? '' : (wire.domain ?? ''),
    inputs: wire.input ?? [],
    outputs: wire.output ?? [],
    attributes: Object.fromEntries(attributes),
  };
}

function readAttribute(wire: WireAttribute, readExternal?: ReadExternal): GraphAttribute {
  const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8');
  if (wire.refAttrName) return { kind: 'opaque', value: wire };
  switch (wire.type) {
    case ATTRIBUTE.float:
      return { kind: 'float', value: wire.f ?? 0 };
    case ATTRIBUTE.int:
      return { kind: 'int', value: wire.i ?? 0 };
    case ATTRIBUTE.string:
      return { kind: 'string', value: text(wire.s) };
    case ATTRIBUTE.floats:
      return { kind: 'floats', value: wire.floats ?? [] };
    case ATTRIBUTE.ints:
      return { kind: 'ints', value: wire.ints ?? [] };
    case ATTRIBUTE.strings:
      return { kind: 'strings', value: (wire.strings ?? []).map(text) };
    case ATTRIBUTE.tensor:
      return wire.t ? { kind: 'tensor', value: readTensor(wire.t, readExternal) } : { kind: 'opaque', value: wire };
    case ATTRIBUTE.graph:
      return wire.g ? { kind: 'graph', value: readGraph(wire.g, readExternal) } : { kind: 'opaque', value: wire };
    default:
      return { kind: 'opaque', value: wire };
  }
}

function readValue(wire: WireValue): GraphValue {
  const tensor = wire.type?.tensorType;
  const dims = tensor?.shape?.dim?.map((dim): Dimension => dim.dimParam ?? dim.dimValue ?? '') ?? null;
  return {
    name: wire.name ?? '',
    elementType: tensor?.elemType ?? 0,
    dims: tensor?.shape && !dims ? [] : dims,
  };
}

function readTensor(wire: WireTensor, readExternal?: ReadExternal): GraphTensor {
  const name = wire.name ?? '';
  const dims = wire.dims ?? [];
  const elementType = wire.dataType ?? 0;
  const bytesPerElement = ELEMENT_BYTES[elementType];
  if (bytesPerElement === undefined) {
    throw unreadable(
      `The constant "${name}" of this network has an element type Hyaline cannot read (${elementType}).`,
      'Export the network with float32 weights.',
    );
  }
  const data = wire.dataLocation === 1 ? readOutside(wire, readExternal) : readInside(wire, elementType);
  if (data.byteLength !== elementCount(dims) * bytesPerElement) {
    throw unreadable(
      `The constant "${name}" of this network does not have the size its shape says.`,
      'Export or download the file again.',
    );
  }
  return { name, elementType, dims, data };
}

function readInside(wire: WireTensor, elementType: number): Uint8Array {
  if (wire.rawData?.byteLength) return wire.rawData;
  if (elementType === ELEMENT.float) return bytesOf(Float32Array.from(wire.floatData ?? []));
  if (elementType === ELEMENT.double) return bytesOf(Float64Array.from(wire.doubleData ?? []));
  if (elementType === ELEMENT.int64) return bytesOf(BigInt64Array.from(wire.int64Data ?? [], BigInt));
  if (elementType === 13) return bytesOf(BigUint64Array.from(wire.uint64Data ?? [], BigInt));
  if (elementType === 12) return bytesOf(Uint32Array.from(wire.uint64Data ?? []));
  const values = wire.int32Data ?? [];
  const bytes = ELEMENT_BYTES[elementType];
  if (bytes === 1) return bytesOf(Uint8Array.from(values));
  return bytes === 2 ? bytesOf(Uint16Array.from(values)) : bytesOf(Int32Array.from(values));
}

function readOutside(wire: WireTensor, readExternal?: ReadExternal): Uint8Array {
  const entries = new Map((wire.externalData ?? []).map((entry) => [entry.key, entry.value ?? '']));
  const location = entries.get('location') ?? '';
  if (!readExternal || location === '') {
    throw unreadable(
      `The weights of this network lie in a second file${location ? `, "${location}"` : ''}, which is not here.`,
      'Put that file beside the .onnx file and import again.',
    );
  }
  const length = entries.get('length');
  return readExternal(location, Number(entries.get('offset') ?? 0), length === undefined ? null : Number(length));
}

function bytesOf(array: ArrayBufferView<ArrayBuffer>): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function writeGraph(graph: Graph): WireGraph {
  return {
    name: graph.name,
    node: graph.nodes.map(writeNode),
    initializer: graph.initializers.map(writeTensor),
    input: graph.inputs.map(writeValue),
    output: graph.outputs.map(writeValue),
  };
}

function writeNode(node: GraphNode): WireNode {
  return {
    name: node.name,
    opType: node.op,
    ...(node.domain === '' ? {} : { domain: node.domain }),
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, attribute]) => writeAttribute(name, attribute)),
  };
}

function writeAttribute(name: string, attribute: GraphAttribute): WireAttribute {
  switch (attribute.kind) {
    case 'float':
      return { name, type: ATTRIBUTE.float, f: attribute.value };
    case 'int':
      return { name, type: ATTRIBUTE.int, i: attribute.value };
    case 'string':
      return { name, type: ATTRIBUTE.string, s: Buffer.from(attribute.value) };
    case 'floats':
      return { name, type: ATTRIBUTE.floats, floats: [...attribute.value] };
    case 'ints':
      return { name, type: ATTRIBUTE.ints, ints: [...attribute.value] };
    case 'strings':
      return { name, type: ATTRIBUTE.strings, strings: attribute.value.map((text) => Buffer.from(text)) };
    case 'tensor':
      return { name, type: ATTRIBUTE.tensor, t: writeTensor(attribute.value) };
    case 'graph':
      return { name, type: ATTRIBUTE.graph, g: writeGraph(attribute.value) };
    case 'opaque':
      return attribute.value as WireAttribute;
  }
}

function writeValue(value: GraphValue): WireValue {
  const dim = value.dims?.map((size) => {
    if (typeof size === 'number') return { dimValue: size };
    return size === '' ? {} : { dimParam: size };
  });
  // Without a type the runtime infers it.
  if (value.elementType === 0) return { name: value.name };
  return {
    name: value.name,
    type: { tensorType: { elemType: value.elementType, ...(dim ? { shape: { dim } } : {}) } },
  };
}

function writeTensor(tensor: GraphTensor): WireTensor {
  return { name: tensor.name, dims: [...tensor.dims], dataType: tensor.elementType, rawData: tensor.data };
}
