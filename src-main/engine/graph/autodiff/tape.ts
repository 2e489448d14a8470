import { floatAttribute } from '../builder.ts';
import { ancestorNodes, namesRead } from '../cut.ts';
import type { Dimension, GraphAttribute, GraphNode, GraphTensor, GraphValue, OnnxModel } from '../model.ts';
import { ELEMENT, floatTensor, int64Tensor, intsOf } from '../model.ts';
import { type Dims, inferShapes, type ShapeContext } from './shapes.ts';

type PlainAttribute = number | string | readonly number[] | GraphAttribute;

/**
 * A graph being extended: every node that is added has its output shapes inferred at once, so that gradient rules can
 * ask for the shape of anything.
 */
export class Tape implements ShapeContext {
  readonly #model: OnnxModel;
  readonly #nodes: GraphNode[] = [];
  readonly #constants: GraphTensor[] = [];
  readonly #inputs: GraphValue[] = [];
  readonly #dims = new Map<string, Dims>();
  readonly #ints = new Map<string, readonly number[]>();
  readonly #scalars = new Map<number, string>();
  /** New name -> value. */
  readonly #renames = new Map<string, string>();
  /** Names of the BatchNormalization nodes whose statistics are those of the batch itself. */
  readonly batchNorms: ReadonlySet<string>;
  #count = 0;

  /**
   * @param inputDims shapes of the graph's free inputs (numbers or symbols); those with none here take the graph's own.
   * @throws Error naming the operator where a shape cannot be inferred.
   */
  constructor(
    model: OnnxModel,
    inputDims: Readonly<Record<string, Dims>>,
    batchNorms: ReadonlySet<string> = new Set(),
  ) {
    this.#model = model;
    this.batchNorms = batchNorms;
    const { graph } = model;
    for (const value of graph.inputs) if (value.dims !== null) this.#dims.set(value.name, value.dims);
    for (const [name, dims] of Object.entries(inputDims)) this.#dims.set(name, dims);
    for (const tensor of graph.initializers) this.#declare(tensor);
    for (const node of graph.nodes) this.#infer(node);
  }

  dimsOf(name: string): Dims | null {
    return this.#dims.get(name) ?? null;
  }

  /** The shape of a value that is known to have one. */
  shape(name: string): Dims {
    const dims = this.#dims.get(name);
    if (dims === undefined) throw new Error(`the shape of ${name} is not known`);
    return dims;
  }

  intsOf(name: string): readonly number[] | null {
    return this.#ints.get(name) ?? null;
  }

  /** Adds a node and returns its first output. `dims` is for operators whose shape only the caller knows. */
  emit(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, PlainAttribute>> = {},
    dims?: Dims,
  ): string {
    const output = this.unique(op);
    const entries = Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)] as const);
    const node: GraphNode = {
      name: output,
      op,
      domain: '',
      inputs,
      outputs: [output],
      attributes: Object.fromEntries(entries),
    };
    this.#nodes.push(node);
    if (dims === undefined) this.#infer(node);
    else this.#dims.set(output, dims);
    return output;
  }

  /** Adds a float input of the graph. */
  input(name: string, dims: readonly Dimension[]): string {
    this.#inputs.push({ name, elementType: ELEMENT.float, dims });
    this.#dims.set(name, dims);
    return name;
  }

  /** Gives a value a name of its own, for an output of the graph; costs no copy where the value is no output itself. */
  rename(value: string, name: string): void {
    this.#renames.set(name, value);
    const node = { name, op: 'Identity', domain: '', inputs: [value], outputs: [name], attributes: {} };
    this.#nodes.push(node);
    this.#infer(node);
  }

  /**
   * The model with everything that was added, giving out the named values (floats). What none of them depends on is
   * left out: onnxruntime would compute it all the same.
   */
  close(outputs: readonly string[]): OnnxModel {
    const { graph } = this.#model;
    const all = { ...graph, nodes: [...graph.nodes, ...this.#nodes] };
    const nodes = withoutRenames(pooledOnce(ancestorNodes(all, outputs)), this.#renames, outputs);
    const read = new Set([...nodes.flatMap(namesRead), ...outputs]);
    return {
      ...this.#model,
      graph: {
        ...graph,
        nodes,
        initializers: [...graph.initializers, ...this.#constants].filter(({ name }) => read.has(name)),
        inputs: [...graph.inputs, ...this.#inputs].filter(({ name }) => read.has(name)),
        outputs: outputs.map((name) => ({ name, elementType: ELEMENT.float, dims: this.#dims.get(name) ?? null })),
      },
    };
  }

  /** Adds a node with several outputs and returns their names. */
  emitMany(
    op: string,
    inputs: readonly string[],
    count: number,
    attributes: Readonly<Record<string, GraphAttribute>> = {},
  ): readonly string[] {
    const outputs = Array.from({ length: count }, () => this.unique(op));
    const node: GraphNode = { name: outputs[0] ?? op, op, domain: '', inputs, outputs, attributes };
    this.#nodes.push(node);
    this.#infer(node);
    return outputs;
  }

  /** A float constant with dimensions. */
  floats(dims: readonly number[], values: Float32Array): string {
    const tensor = floatTensor(this.unique('floats'), dims, values);
    this.#constants.push(tensor);
    this.#declare(tensor);
    return tensor.name;
  }

  /** A float constant without dimensions. */
  scalar(value: number): string {
    const known = this.#scalars.get(value);
    if (known !== undefined) return known;
    const tensor = floatTensor(this.unique('scalar'), [], Float32Array.of(value));
    this.#constants.push(tensor);
    this.#declare(tensor);
    this.#scalars.set(value, tensor.name);
    return tensor.name;
  }

  /** A constant list of integers: a shape, axes, bounds. */
  ints(values: readonly number[]): string {
    const tensor = int64Tensor(this.unique('ints'), [values.length], values);
    this.#constants.push(tensor);
    this.#declare(tensor);
    return tensor.name;
  }

  unique(label: string): string {
    return `tape/${label}_${this.#count++}`;
  }

  /** A value in the shape of another, whose size may only be known at run time. */
  reshapeLike(value: string, like: string): string {
    return this.emit('Reshape', [value, this.emit('Shape', [like])], {}, this.shape(like));
  }

  expandLike(value: string, like: string): string {
    return this.emit('Expand', [value, this.emit('Shape', [like])], {}, this.shape(like));
  }

  /** Sums over axes; the axes are removed unless `keep`. */
  sum(value: string, axes: readonly number[], keep: boolean): string {
    return this.emit('ReduceSum', [value, this.ints(axes)], { keepdims: keep ? 1 : 0 });
  }

  /** One of the Reduce operators over axes, in the form that the graph's operator set has. */
  reduce(op: string, value: string, axes: readonly number[], keep: boolean): string {
    const keepdims = keep ? 1 : 0;
    const asInput = (this.#model.opsets[''] ?? 0) >= 18;
    return asInput ? this.emit(op, [value, this.ints(axes)], { keepdims }) : this.emit(op, [value], { axes, keepdims });
  }

  /** Means over axes; the axes are removed unless `keep`. */
  mean(value: string, axes: readonly number[], keep: boolean): string {
    return this.reduce('ReduceMean', value, axes, keep);
  }

  /** Zeros in the shape of a value. */
  zerosLike(value: string): string {
    return this.emit('ConstantOfShape', [this.emit('Shape', [value])], {}, this.shape(value));
  }

  /** Sums a gradient over the axes along which `target` was broadcast (the transpose of broadcasting). */
  unbroadcast(gradient: string, target: string): string {
    const from = this.shape(gradient);
    const to = this.shape(target);
    const lead = from.length - to.length;
    const leading = Array.from({ length: lead }, (_, i) => i);
    const value = lead > 0 ? this.sum(gradient, leading, false) : gradient;
    const stretched = to.flatMap((dim, i) => (dim === 1 && from[i + lead] !== 1 ? [i] : []));
    return stretched.length > 0 ? this.sum(value, stretched, true) : value;
  }

  #declare(tensor: GraphTensor): void {
    this.#dims.set(tensor.name, tensor.dims);
    if (tensor.elementType === ELEMENT.int64 || tensor.elementType === ELEMENT.int32) {
      this.#ints.set(tensor.name, intsOf(tensor));
    }
  }

  #infer(node: GraphNode): void {
    if (node.op === 'Constant') {
      const value = node.attributes.value;
      if (value?.kind === 'tensor') this.#declare({ ...value.value, name: node.outputs[0] ?? '' });
      return;
    }
    const shapes = inferShapes(node, this);
    for (const [i, output] of node.outputs.entries()) {
      const dims = shapes[i] ?? shapes[0];
      if (dims !== undefined) this.#dims.set(output, dims);
    }
  }
}

/** A MaxPool whose gradient asks for its indices gives them out itself: else the pooling would be done twice. */
function pooledOnce(nodes: readonly GraphNode[]): readonly GraphNode[] {
  const keyOf = ({ inputs, attributes }: GraphNode): string => JSON.stringify([inputs[0], attributes]);
  const pools = nodes.filter(({ op }) => op === 'MaxPool');
  const plain = new Set(pools.filter(({ outputs }) => outputs.length === 1).map(keyOf));
  const read = new Set(nodes.flatMap(namesRead));
  const again = pools.filter((node) => {
    return node.outputs.length === 2 && plain.has(keyOf(node)) && !read.has(node.outputs[0] ?? '');
  });
  const indices = new Map(again.map((node) => [keyOf(node), node.outputs[1] ?? '']));
  const dropped = new Set(again);
  return nodes
    .filter((node) => !dropped.has(node))
    .map((node) => {
      const second = node.op === 'MaxPool' && node.outputs.length === 1 ? indices.get(keyOf(node)) : undefined;
      return second === undefined ? node : { ...node, outputs: [...node.outputs, second] };
    });
}

/** Nodes that write the new names themselves: onnxruntime would copy every Identity that is an output of the graph. */
function withoutRenames(
  nodes: readonly GraphNode[],
  renames: ReadonlyMap<string, string>,
  outputs: readonly string[],
): readonly GraphNode[] {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const named = new Map<string, string>();
  for (const [name, value] of renames) {
    if (made.has(name) && made.has(value) && !outputs.includes(value) && !renames.has(value) && !named.has(value)) {
      named.set(value, name);
    }
  }
  const now = (name: string): string => named.get(name) ?? name;
  return nodes
    .filter((node) => !(node.op === 'Identity' && named.get(node.inputs[0] ?? '') === node.outputs[0]))
    .map((node) => ({ ...node, inputs: node.inputs.map(now), outputs: node.outputs.map(now) }));
}

function attributeOf(value: PlainAttribute): GraphAttribute {
  if (typeof value === 'number') return Number.isInteger(value) ? { kind: 'int', value } : floatAttribute(value);
  if (typeof value === 'string') return { kind: 'string', value };
  return 'kind' in value ? value : { kind: 'ints', value };
}
