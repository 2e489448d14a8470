import type { ShapeContext } from '../autodiff/shapes.ts';
import { ancestorNodes } from '../cut.ts';
import {
  elementCount,
  type GraphNode,
  type GraphValue,
  intAttribute,
  intsAttribute,
  type OnnxModel,
} from '../model.ts';
import { GraphWriter } from './graph-writer.ts';
import { knownShapes } from './known-shapes.ts';

/** [out, in, kh, kw] to [out, kh, kw, in], and back. */
const TO_LAST = [0, 2, 3, 1];
const FROM_LAST = [0, 3, 1, 2];

/** True for filters [out, in, kh, kw] that gain by being held with their channels last: of several taps, in whole blocks. */
export function isHoldable(dims: readonly number[], block: number): boolean {
  const [out = 0, into = 0, ...kernel] = dims;
  return dims.length === 4 && elementCount(kernel) > 1 && out % block === 0 && into % block === 0;
}

/**
 * The same graph of a step with some filters, and what an optimiser keeps of them, held as [out, kh, kw, in] from step to
 * step: in that order their gradients come out of the convolution that gives them, and blocked filters are made of it in
 * fewer passes than of [out, in, kh, kw]. Updates work on each number by itself and do not see the difference.
 *
 * @param held inputs that are taken in that order, as far as the graph has them; their outputs are NAME/next.
 */
export function holdFilters(model: OnnxModel, held: ReadonlySet<string>): OnnxModel {
  const wanted = new Set(model.graph.outputs.map(({ name }) => name));
  const filters = model.graph.inputs.flatMap(({ name, dims }): Filter[] => {
    if (!held.has(name) || dims === null) return [];
    const output = `${name}/next`;
    return [{ input: name, output: wanted.has(output) ? output : null, dims: dims.map(Number) }];
  });
  return filters.length === 0 ? model : new Holding(model, filters).rewritten();
}

interface Filter {
  readonly input: string;
  readonly output: string | null;
  readonly dims: readonly number[];
}

/** The held form of weights in plain order: what this pass wrote a plain filter from; null where it is another value. */
export function heldSource(weight: string, makers: ReadonlyMap<string, GraphNode>): string | null {
  const maker = makers.get(weight);
  if (maker?.op !== 'Transpose' || intsAttribute(maker, 'perm')?.join() !== FROM_LAST.join()) return null;
  return maker.inputs[0] ?? null;
}

const ELEMENTWISE = new Set('Add Sub Mul Div Sqrt Where Neg Max Min Identity'.split(' '));

class Holding {
  readonly #model: OnnxModel;
  readonly #filters: readonly Filter[];
  readonly #shapes: ShapeContext;
  readonly #makers: ReadonlyMap<string, GraphNode>;
  readonly #writer = new GraphWriter('held');
  /** Names of values in either order; a value that has none of its own in the plain order keeps its name. */
  readonly #held = new Map<string, string>();
  readonly #plain = new Map<string, string | null>();

  constructor(model: OnnxModel, filters: readonly Filter[]) {
    this.#model = model;
    this.#filters = filters;
    this.#shapes = knownShapes(model.graph);
    this.#makers = new Map(model.graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  }

  rewritten(): OnnxModel {
    const { graph } = this.#model;
    const outputs = new Set(this.#filters.flatMap(({ output }) => output ?? []));
    for (const { input } of this.#filters) {
      this.#held.set(input, input);
      this.#plain.set(input, null);
    }
    for (const node of graph.nodes) {
      if (this.#asHeld(node, outputs)) continue;
      const inputs = node.inputs.map((name) => this.#toPlain(name));
      // An output of the graph that is to be held gives up its name.
      const renamed = node.outputs.map((name) => (outputs.has(name) ? `${name}/plain` : name));
      for (const [i, name] of node.outputs.entries())
        if (renamed[i] !== name) this.#plain.set(name, renamed[i] ?? name);
      this.#writer.nodes.push({ ...node, inputs, outputs: renamed });
    }
    for (const name of outputs) if (!this.#held.has(name)) this.#turn(this.#toPlain(name), TO_LAST, name);
    const dims = new Map(
      this.#filters.flatMap(({ input, output, dims: of }) => [input, output].map((name) => [name, of])),
    );
    const turned = (value: GraphValue): GraphValue => {
      const plain = dims.get(value.name);
      return plain === undefined ? value : { ...value, dims: TO_LAST.map((axis) => plain[axis] ?? 1) };
    };
    const nodes = ancestorNodes(
      { ...graph, nodes: this.#writer.nodes },
      graph.outputs.map(({ name }) => name),
    );
    return {
      ...this.#model,
      graph: {
        ...graph,
        nodes,
        initializers: [...graph.initializers, ...this.#writer.constants],
        inputs: graph.inputs.map(turned),
        outputs: graph.outputs.map(turned),
      },
    };
  }

  /** Writes a node on held values where it can be. */
  #asHeld(node: GraphNode, outputs: ReadonlySet<string>): boolean {
    if (node.domain !== '' || node.outputs.length !== 1) return false;
    return this.#gradient(node) || this.#elementwise(node, outputs) || this.#summed(node);
  }

  /** A weight gradient as `weightGradient` ends it: [out, taps, in] turned into [out, in, taps], then given its shape. */
  #gradient(node: GraphNode): boolean {
    const dims = this.#sizes(node.outputs[0]);
    const swap = this.#makers.get(node.inputs[0] ?? '');
    if (node.op !== 'Reshape' || dims?.length !== 4 || swap?.op !== 'Transpose') return false;
    if (intsAttribute(swap, 'perm')?.join() !== '0,2,1') return false;
    const [out = 1, into = 1, height = 1, width = 1] = dims;
    const [source = ''] = swap.inputs;
    if (this.#sizes(source)?.join() !== [out, height * width, into].join()) return false;
    const [output = ''] = node.outputs;
    const held = this.#writer.emit('Reshape', [source, this.#writer.ints([out, height, width, into])]);
    this.#held.set(output, held);
    this.#plain.set(output, null);
    return true;
  }

  /** Each number by itself, or with one number for each output channel. */
  #elementwise(node: GraphNode, outputs: ReadonlySet<string>): boolean {
    const [output = ''] = node.outputs;
    const dims = this.#sizes(output);
    if (!ELEMENTWISE.has(node.op) || dims?.length !== 4) return false;
    const full = node.inputs.filter((name) => this.#sizes(name)?.join() === dims.join());
    const others = node.inputs.filter((name) => !full.includes(name));
    const channels = [dims[0], 1, 1, 1].join();
    const fits = others.every((name) => {
      const sizes = this.#sizes(name);
      return sizes !== null && (elementCount(sizes) === 1 || sizes.join() === channels);
    });
    if (!fits || full.length === 0 || !full.every((name) => this.#held.has(name))) return false;
    const inputs = node.inputs.map((name) =>
      full.includes(name) ? (this.#held.get(name) ?? name) : this.#toPlain(name),
    );
    const held = outputs.has(output) ? output : `${output}/held`;
    this.#held.set(output, this.#writer.emit(node.op, inputs, node.attributes, { output: held }));
    this.#plain.set(output, null);
    return true;
  }

  /** Sums over all axes, or all but the first: in any order the same numbers. */
  #summed(node: GraphNode): boolean {
    const [x = '', axes = ''] = node.inputs;
    if (!this.#held.has(x) || !['ReduceSum', 'ReduceSumSquare'].includes(node.op)) return false;
    const given = intsAttribute(node, 'axes') ?? (axes === '' ? [] : this.#shapes.intsOf(axes));
    const all = given?.length === 0 && intAttribute(node, 'noop_with_empty_axes', 0) === 0;
    if (!all && given?.join() !== '1,2,3') return false;
    this.#writer.nodes.push({ ...node, inputs: [this.#held.get(x) ?? x, ...node.inputs.slice(1)] });
    return true;
  }

  #toPlain(name: string): string {
    const known = this.#plain.get(name);
    if (known === undefined) return name;
    if (known !== null) return known;
    const plain = this.#turn(this.#held.get(name) ?? name, FROM_LAST, `${name}/plain`);
    this.#plain.set(name, plain);
    return plain;
  }

  #turn(value: string, perm: readonly number[], output: string): string {
    return this.#writer.emit('Transpose', [value], { perm: { kind: 'ints', value: perm } }, { output });
  }

  #sizes(name = ''): readonly number[] | null {
    const dims = this.#shapes.dimsOf(name);
    return dims?.every((size) => typeof size === 'number') === true ? dims.map(Number) : null;
  }
}
