import type { ShapeContext } from '../autodiff/shapes.ts';
import { type WrittenGradient, writtenGradient } from '../autodiff/weight-gradient.ts';
import { ancestorNodes } from '../cut.ts';
import {
  elementCount,
  type GraphNode,
  type GraphValue,
  intAttribute,
  intsAttribute,
  type OnnxModel,
} from '../model.ts';
import { blockedGradientOf, writeBlockedGradient } from './blocked-weight-gradient.ts';
import { GraphWriter, NCHWC } from './graph-writer.ts';
import { knownShapes } from './known-shapes.ts';

/** [out, in / b, b, taps] to [out, in / b, taps, b], and back. */
const INNER_SWAPPED = [0, 1, 3, 2];

/** How filters are held: a block of input channels innermost. */
export interface HeldFilters {
  /** Names of the inputs of a step that are held so. */
  readonly names: ReadonlySet<string>;
  /** Channels in a block. */
  readonly block: number;
}

/** The shape of a filter [out, in, kh, kw] as it is held: [out, in / b, taps, b]. */
export function heldDims([out = 1, into = 1, ...kernel]: readonly number[], block: number): readonly number[] {
  return [out, into / block, elementCount(kernel), block];
}

/** True for filters [out, in, kh, kw] that gain by being held in blocks: of several taps, of whole blocks. */
export function isHoldable(dims: readonly number[], block: number): boolean {
  const [out = 0, into = 0, ...kernel] = dims;
  return dims.length === 4 && elementCount(kernel) > 1 && out % block === 0 && into % block === 0;
}

/**
 * The same graph of a step with some filters, and what an optimiser keeps of them, held as [out, in / b, taps, b] from step
 * to step. In that order their gradients come out of a convolution that reads blocked images as they lie, and their
 * blocked filters are one pass away. Updates work on each number by itself and do not see the difference.
 *
 * @param held inputs that are taken in that order, as far as the graph has them; their outputs are NAME/next.
 */
export function holdFilters(model: OnnxModel, { names, block }: HeldFilters): OnnxModel {
  const wanted = new Set(model.graph.outputs.map(({ name }) => name));
  const filters = model.graph.inputs.flatMap(({ name, dims }): Filter[] => {
    if (!names.has(name) || dims === null) return [];
    const output = `${name}/next`;
    return [{ input: name, output: wanted.has(output) ? output : null, dims: dims.map(Number) }];
  });
  return filters.length === 0 ? model : new Holding(model, filters, block).rewritten();
}

interface Filter {
  readonly input: string;
  readonly output: string | null;
  readonly dims: readonly number[];
}

/** The held form of weights [out, in, kh, kw]: what this pass wrote a plain filter from; null where it is another value. */
export function heldSource(
  weight: string,
  dims: readonly number[],
  block: number,
  makers: ReadonlyMap<string, GraphNode>,
  { dimsOf }: ShapeContext,
): string | null {
  const shaped = makers.get(weight);
  const swap = shaped?.op === 'Reshape' ? makers.get(shaped.inputs[0] ?? '') : undefined;
  if (swap?.op !== 'Transpose' || intsAttribute(swap, 'perm')?.join() !== INNER_SWAPPED.join()) return null;
  const [source = ''] = swap.inputs;
  return dimsOf(source)?.join() === heldDims(dims, block).join() ? source : null;
}

const ELEMENTWISE = new Set('Add Sub Mul Div Sqrt Where Neg Max Min Identity'.split(' '));

class Holding {
  readonly #model: OnnxModel;
  readonly #filters: readonly Filter[];
  readonly #block: number;
  readonly #shapes: ShapeContext;
  readonly #makers: ReadonlyMap<string, GraphNode>;
  readonly #writer = new GraphWriter('held');
  /** Names of values in either order; a value that has none of its own in the plain order keeps its name. */
  readonly #held = new Map<string, string>();
  readonly #plain = new Map<string, string | null>();

  constructor(model: OnnxModel, filters: readonly Filter[], block: number) {
    this.#model = model;
    this.#filters = filters;
    this.#block = block;
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
    for (const name of outputs) if (!this.#held.has(name)) this.#hold(name);
    const dims = new Map(
      this.#filters.flatMap(({ input, output, dims: of }) => [input, output].map((name) => [name, of])),
    );
    const turned = (value: GraphValue): GraphValue => {
      const plain = dims.get(value.name);
      return plain === undefined ? value : { ...value, dims: heldDims(plain, this.#block) };
    };
    const nodes = ancestorNodes(
      { ...graph, nodes: this.#writer.nodes },
      graph.outputs.map(({ name }) => name),
    );
    return {
      ...this.#model,
      opsets: { ...this.#model.opsets, [NCHWC]: 1 },
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
    return this.#gradient(node, outputs) || this.#elementwise(node, outputs) || this.#summed(node);
  }

  /** A weight gradient: written anew in three dimensions, or turned from [out, taps, in] where it is one of groups. */
  #gradient(node: GraphNode, outputs: ReadonlySet<string>): boolean {
    const [output = ''] = node.outputs;
    const dims = this.#sizes(output);
    if (dims === null || outputs.has(output) || !isHoldable(dims, this.#block)) return false;
    const written = writtenGradient(node, this.#makers, this.#shapes);
    const held = written === null ? this.#byTap(node, dims) : this.#inThreeDimensions(written, dims);
    if (held === null) return false;
    this.#held.set(output, held);
    this.#plain.set(output, null);
    return true;
  }

  #inThreeDimensions(written: WrittenGradient, dims: readonly number[]): string | null {
    const gradient = blockedGradientOf(written, dims, this.#block, this.#shapes);
    if (gradient === null) return null;
    const [image, filter] = [written.image, written.conv.inputs[1] ?? ''].map((name) => this.#toPlain(name));
    return writeBlockedGradient(this.#writer, image ?? '', filter ?? '', gradient);
  }

  #byTap(last: GraphNode, dims: readonly number[]): string | null {
    const swap = last.op === 'Reshape' ? this.#makers.get(last.inputs[0] ?? '') : undefined;
    if (swap?.op !== 'Transpose' || intsAttribute(swap, 'perm')?.join() !== '0,2,1') return null;
    const [out = 1, depth = 1, taps = 1, block = 1] = heldDims(dims, this.#block);
    const [source = ''] = swap.inputs;
    if (this.#sizes(source)?.join() !== [out, taps, depth * block].join()) return null;
    const open = this.#writer.reshape(this.#toPlain(source), [out, taps, depth, block]);
    return this.#writer.transpose(open, [0, 2, 1, 3]);
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
    const dims = this.#sizes(name) ?? [];
    const swapped = this.#writer.transpose(this.#held.get(name) ?? name, INNER_SWAPPED);
    const plain = this.#writer.reshape(swapped, dims);
    this.#plain.set(name, plain);
    return plain;
  }

  /** Gives an output of the graph, of which there is the plain form alone, in the held one. */
  #hold(output: string): void {
    const dims = this.#sizes(output) ?? [];
    const [out = 1, depth = 1, taps = 1, block = 1] = heldDims(dims, this.#block);
    const open = this.#writer.reshape(this.#toPlain(output), [out, depth, block, taps]);
    const perm = { kind: 'ints', value: INNER_SWAPPED } as const;
    this.#writer.emit('Transpose', [open], { perm }, { output });
  }

  #sizes(name = ''): readonly number[] | null {
    const dims = this.#shapes.dimsOf(name);
    return dims?.every((size) => typeof size === 'number') === true ? dims.map(Number) : null;
  }
}
