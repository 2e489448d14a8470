import type { Dimension, GraphAttribute, GraphNode, GraphTensor, GraphValue, OnnxModel } from './model.ts';
import { ELEMENT, floatTensor, int64Tensor } from './model.ts';

/** IR and operator set that our graphs are written in: old enough for every onnxruntime of the last years. */
const IR_VERSION = 8;
export const BUILDER_OPSET = 17;

type PlainAttribute = number | string | readonly number[] | GraphAttribute;

/** Marks a number as a float attribute: a bare number is taken as an int. */
export function floatAttribute(value: number): GraphAttribute {
  return { kind: 'float', value };
}

function attributeOf(value: PlainAttribute): GraphAttribute {
  if (typeof value === 'number') return { kind: 'int', value };
  if (typeof value === 'string') return { kind: 'string', value };
  return 'kind' in value ? value : { kind: 'ints', value };
}

/**
 * Collects nodes and constants in the order they are added and gives an ONNX model. Values are referred to by name;
 * the first output of a node carries the node's name. The same calls give the same bytes.
 */
export class GraphBuilder {
  private readonly nodes: GraphNode[] = [];
  private readonly initializers: GraphTensor[] = [];
  private readonly inputs: GraphValue[] = [];
  private readonly outputs: GraphValue[] = [];
  private readonly names = new Set<string>();
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  input(name: string, dims: readonly Dimension[], elementType: number = ELEMENT.float): string {
    this.claim(name);
    this.inputs.push({ name, elementType, dims });
    return name;
  }

  output(name: string, dims: readonly Dimension[] | null, elementType: number = ELEMENT.float): void {
    this.outputs.push({ name, elementType, dims });
  }

  floats(name: string, dims: readonly number[], values: Float32Array): string {
    this.claim(name);
    this.initializers.push(floatTensor(name, dims, values));
    return name;
  }

  /** A list unless `dims` says otherwise: [] = a scalar. */
  ints(name: string, values: readonly number[], dims: readonly number[] = [values.length]): string {
    this.claim(name);
    this.initializers.push(int64Tensor(name, dims, values));
    return name;
  }

  bools(name: string, values: readonly boolean[]): string {
    this.claim(name);
    const data = Uint8Array.from(values, Number);
    // A single truth value is a scalar: the flags of operators are.
    const dims = values.length === 1 ? [] : [values.length];
    this.initializers.push({ name, elementType: ELEMENT.bool, dims, data });
    return name;
  }

  /** Adds a node with one output of the same name; returns that name. */
  node(
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, PlainAttribute>> = {},
  ): string {
    this.multi(name, op, inputs, [name], attributes);
    return name;
  }

  /** Adds a node with several outputs. */
  multi(
    name: string,
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, PlainAttribute>> = {},
  ): void {
    for (const output of outputs) this.claim(output);
    const entries = Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)] as const);
    this.nodes.push({ name, op, domain: '', inputs, outputs, attributes: Object.fromEntries(entries) });
  }

  build(metadata: Readonly<Record<string, string>> = {}): OnnxModel {
    return {
      irVersion: IR_VERSION,
      producer: 'hyaline',
      graph: {
        name: this.name,
        nodes: this.nodes,
        initializers: this.initializers,
        inputs: this.inputs,
        outputs: this.outputs,
      },
      opsets: { '': BUILDER_OPSET },
      metadata,
      functions: [],
    };
  }

  private claim(name: string): void {
    if (this.names.has(name)) throw new Error(`the graph already holds a value named ${name}`);
    this.names.add(name);
  }
}
