import type { ShapeContext } from '../autodiff/shapes.ts';
import { isWeightGradient } from '../autodiff/weight-gradient.ts';
import { ancestorNodes } from '../cut.ts';
import { type GraphNode, intAttribute, intsAttribute, type OnnxModel } from '../model.ts';
import { type FilterOrder, filterOrderOf } from './blocked-filter.ts';
import { BlockedValues } from './blocked-values.ts';
import { Filters } from './filters.ts';
import { type Fusion, findFusions, readersOf } from './fusions.ts';
import { GraphWriter, NCHWC } from './graph-writer.ts';
import { knownShapes } from './known-shapes.ts';
import { phaseSplitOf, writePhases } from './phase-split.ts';
import { apart, gapBetween, sideBySide } from './side-by-side.ts';

/**
 * The same graph with its convolutions in the blocked layout (N, C / block, H, W, block) that onnxruntime's vector kernels
 * of convolution work in: it chooses that layout itself only where a filter is constant, and in a training step none is.
 * For a CPU session alone. Values stay blocked through what works on each number by itself; elsewhere they are brought
 * back. Only channel counts that are multiples of the block change their form, so that every value keeps its shape.
 *
 * @param block channels in a block: what onnxruntime has on this machine.
 */
export function blockLayout(model: OnnxModel, block: number): OnnxModel {
  const layout = new BlockLayout(model, block);
  return layout.rewritten();
}

/** Operators on each number by itself, which do not see how the numbers lie. */
const ELEMENTWISE = new Set(
  'Relu Add Sub Mul Div Neg Sigmoid HardSigmoid Tanh Exp Sqrt Clip LeakyRelu Sign'.split(' '),
);

class BlockLayout {
  readonly #model: OnnxModel;
  readonly #block: number;
  readonly #shapes: ShapeContext;
  readonly #writer = new GraphWriter('blocked');
  readonly #values: BlockedValues;
  readonly #filters: Filters;
  readonly #makers: ReadonlyMap<string, GraphNode>;
  readonly #readers: ReadonlyMap<string, readonly GraphNode[]>;
  readonly #outputs: ReadonlySet<string>;

  constructor(model: OnnxModel, block: number) {
    this.#model = model;
    this.#block = block;
    const { graph } = model;
    this.#shapes = knownShapes(graph);
    this.#makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
    this.#readers = readersOf(graph.nodes);
    this.#outputs = new Set(graph.outputs.map(({ name }) => name));
    this.#values = new BlockedValues(graph, this.#shapes, block, this.#writer);
    this.#filters = new Filters(this.#writer, this.#values, this.#makers);
  }

  rewritten(): OnnxModel {
    const { graph, opsets } = this.#model;
    if (!graph.nodes.some((node) => this.#filterOrder(node) !== null)) return this.#model;
    const { fusions, deferred } = findFusions(graph.nodes, this.#outputs, this.#shapes, (node) => {
      if (this.#filterOrder(node) !== null) return 'with sum';
      return this.#isNorm(node) ? 'without sum' : null;
    });
    for (const node of graph.nodes) {
      if (deferred.has(node)) continue;
      const fusion = fusions.get(node) ?? { first: node, sum: null, relu: false };
      if (!this.#asBlocked(node, fusion)) this.#asPlain(fusion, node);
    }
    for (const output of this.#outputs) this.#values.toPlain(output);
    const { constants } = this.#writer;
    // What only the plain form needed (kernels turned round) would be computed all the same.
    const nodes = ancestorNodes({ ...graph, nodes: this.#writer.nodes }, [...this.#outputs]);
    const initializers = [...graph.initializers, ...constants];
    return { ...this.#model, opsets: { ...opsets, [NCHWC]: 1 }, graph: { ...graph, nodes, initializers } };
  }

  /** Writes the node with blocked values where it can and should be. */
  #asBlocked(last: GraphNode, fusion: Fusion): boolean {
    const { first } = fusion;
    const order = this.#filterOrder(first);
    if (order !== null) {
      this.#convolve(last, fusion, order);
      return true;
    }
    if (this.#isNorm(first) && this.#values.isOnlyBlocked(first.inputs[0])) {
      this.#normalise(last, fusion);
      return true;
    }
    return (
      first === last &&
      (this.#elementwise(last) ||
        this.#scaled(last) ||
        this.#pooled(last) ||
        this.#turned(last) ||
        this.#readAsBlocked(last) ||
        this.#transposed(last))
    );
  }

  /** Writes nodes as they were; those of a fusion that is not made one after the other. */
  #asPlain({ first }: Fusion, last: GraphNode): void {
    let node: GraphNode | undefined = first;
    while (node !== undefined) {
      for (const input of node.inputs) this.#values.toPlain(input);
      this.#writer.nodes.push(node);
      for (const output of node.outputs) this.#values.madePlain(output);
      node = node === last ? undefined : this.#readers.get(node.outputs[0] ?? '')?.[0];
    }
  }

  /** How the filter of a convolution is to lie; null where it stays plain. */
  #filterOrder(node: GraphNode): FilterOrder | null {
    if (!this.#values.canBeBlocked(node.outputs[0] ?? '')) return null;
    // Blocked kernels read the whole filter again for every few places of a row: here it is as large as the image.
    if (isWeightGradient(node, this.#makers, this.#shapes)) return null;
    const filter = this.#values.sizes(node.inputs[1]);
    return filter === null ? null : filterOrderOf(node, filter, this.#block);
  }

  #convolve(last: GraphNode, { first, sum, relu }: Fusion, order: FilterOrder): void {
    const [x = '', w = '', bias = ''] = first.inputs;
    const group = intAttribute(first, 'group', 1);
    const direct = order === 'OIHWBo' && group === 1;
    if (direct) this.#values.toPlain(x);
    const image = direct ? x : this.#values.toBlocked(x);
    this.#values.toPlain(bias);
    const filter = this.#filters.blocked(w, order);
    const { auto_pad: _, ...given } = first.attributes;
    const kernel = this.#values.sizes(w)?.slice(2) ?? [];
    const attributes = { ...given, kernel_shape: { kind: 'ints', value: kernel } as const };
    const [from, to] = [this.#values.sizeOf(x), this.#values.sizeOf(first.outputs[0])];
    const gap = direct ? null : gapBetween(first, from, to, kernel);
    if (gap === null) {
      const inputs = [image, filter, bias, sum === null ? '' : this.#values.toBlocked(sum)];
      this.#write('Conv', trimmed(inputs), attributes, last, relu);
      return;
    }
    const name = `${last.outputs[0]}/blocked`;
    const [into = 0, out = 0] = [x, first.outputs[0]].map((value) => this.#values.sizes(value, 1)?.[1]);
    const writer = this.#writer;
    const wide = sideBySide(writer, image, { channels: into, size: from, block: this.#block, gap });
    const made = writer.emit('Conv', trimmed([wide, filter, bias]), attributes, { domain: NCHWC });
    const images = { channels: out, size: to, block: this.#block, gap };
    const alone = apart(writer, made, images, sum === null && !relu ? name : writer.unique('apart'));
    const whole =
      sum === null ? alone : writer.emit('Add', [alone, this.#values.toBlocked(sum)], {}, relu ? {} : { output: name });
    if (relu) writer.emit('Relu', [whole], {}, { output: name });
    this.#values.madeBlocked(last.outputs[0] ?? '', name);
  }

  /** A norm with given statistics, as a convolution that keeps channels apart. */
  #normalise(last: GraphNode, { first, relu }: Fusion): void {
    const [x = '', scale = '', shift = '', mean = '', variance = ''] = first.inputs;
    for (const input of [scale, shift, mean, variance]) this.#values.toPlain(input);
    const epsilon = first.attributes.epsilon?.kind === 'float' ? first.attributes.epsilon.value : 1e-5;
    const writer = this.#writer;
    const least = this.#writer.number(epsilon);
    const slope = writer.emit('Div', [scale, writer.emit('Sqrt', [writer.emit('Add', [variance, least])])]);
    const bias = writer.emit('Sub', [shift, writer.emit('Mul', [mean, slope])]);
    this.#perChannel(last, x, slope, bias, relu);
  }

  /** x times a slope plus an offset for each channel. */
  #perChannel(last: GraphNode, x: string, slope: string, bias: string, relu: boolean): void {
    const channels = this.#values.sizes(x, 1)?.[1] ?? 1;
    const filter = this.#writer.reshape(slope, [channels, 1, 1, 1]);
    const group = { kind: 'int', value: channels } as const;
    const kernel = { kind: 'ints', value: [1, 1] } as const;
    this.#write(
      'Conv',
      trimmed([this.#values.toBlocked(x), filter, bias]),
      { group, kernel_shape: kernel },
      last,
      relu,
    );
  }

  #write(
    op: string,
    inputs: readonly string[],
    attributes: GraphNode['attributes'],
    last: GraphNode,
    relu = false,
  ): void {
    const [output = ''] = last.outputs;
    const all = relu ? { ...attributes, activation: { kind: 'string', value: 'Relu' } as const } : attributes;
    const domain = op === 'Conv' ? NCHWC : last.domain;
    this.#values.madeBlocked(output, this.#writer.emit(op, inputs, all, { domain, output: `${output}/blocked` }));
  }

  /** Each number by itself; nothing to gain where most of what it reads is plain. */
  #elementwise(node: GraphNode): boolean {
    if (node.domain !== '' || !ELEMENTWISE.has(node.op)) return false;
    const [output = ''] = node.outputs;
    if (!this.#values.canBeBlocked(output)) return false;
    const dims = this.#shapes.dimsOf(output)?.join();
    const full = node.inputs.filter((input) => this.#shapes.dimsOf(input)?.join() === dims);
    const others = node.inputs.filter((input) => !full.includes(input) && input !== '');
    if (!others.every((input) => this.#shapes.dimsOf(input)?.every((size) => size === 1))) return false;
    const [only, never] = [
      full.filter((x) => this.#values.isOnlyBlocked(x)),
      full.filter((x) => !this.#values.isBlocked(x)),
    ];
    if (only.length === 0 || only.length < never.length) return false;
    for (const input of others) this.#values.toPlain(input);
    const inputs = node.inputs.map((input) => (full.includes(input) ? this.#values.toBlocked(input) : input));
    this.#write(node.op, inputs, node.attributes, node);
    return true;
  }

  /** Products and sums with one number for each channel. */
  #scaled(node: GraphNode): boolean {
    const [x = '', value = ''] = node.inputs;
    if (node.domain !== '' || !['Mul', 'Add', 'Sub'].includes(node.op) || !this.#values.isOnlyBlocked(x)) return false;
    const channels = this.#values.sizes(x, 1)?.[1] ?? 0;
    const dims = this.#shapes.dimsOf(value)?.join();
    if (dims !== `${channels},1,1` && dims !== `1,${channels},1,1`) return false;
    this.#values.toPlain(value);
    const flat = this.#writer.reshape(value, [channels]);
    if (node.op === 'Mul') this.#perChannel(node, x, flat, '', false);
    else {
      const ones = this.#writer.floats([channels], new Float32Array(channels).fill(1));
      this.#perChannel(node, x, ones, node.op === 'Add' ? flat : this.#writer.emit('Neg', [flat]), false);
    }
    return true;
  }

  /** Means and sums over all places: 1 x 1 maps lie the same in either form. */
  #pooled(node: GraphNode): boolean {
    const [x = '', axes = ''] = node.inputs;
    if (node.domain !== '' || !this.#values.isOnlyBlocked(x)) return false;
    const sums = node.op === 'ReduceSum' && this.#shapes.intsOf(axes)?.join() === '0,2,3';
    const [height = 0, width = 0] = this.#values.sizes(x, 2)?.slice(2) ?? [];
    if (!(sums && height * width > 0) && node.op !== 'GlobalAveragePool') return false;
    const [output = ''] = node.outputs;
    const writer = this.#writer;
    const domain = { domain: NCHWC };
    const means = ['GlobalAveragePool', [this.#values.toBlocked(x)], {}] as const;
    if (!sums) writer.emit(...means, { ...domain, output });
    else {
      const total = writer.emit('ReduceSum', [writer.emit(...means, domain), axes], node.attributes);
      writer.emit('Mul', [total, this.#writer.number(height * width)], {}, { output });
    }
    this.#values.madePlain(output);
    return true;
  }

  /** Channels last: brought back in that order at once. */
  #turned(node: GraphNode): boolean {
    const [x = ''] = node.inputs;
    if (node.op !== 'Transpose' || !this.#values.isBlocked(x)) return false;
    if (intsAttribute(node, 'perm')?.join() !== '0,2,3,1') return false;
    const [output = ''] = node.outputs;
    this.#values.bringBack(x, output, true);
    this.#values.madePlain(output);
    return true;
  }

  /**
   * `holdFilters` reorders images itself and gives them another shape. Here what then exists blocked is read instead, and
   * the reordering, which nothing but that Reshape reads, is not written.
   */
  #readAsBlocked(node: GraphNode): boolean {
    if (node.op === 'ReorderInput' && node.domain === NCHWC) return true;
    const [x = '', shape = ''] = node.inputs;
    const reorder = node.op === 'Reshape' ? this.#makers.get(x) : undefined;
    if (reorder?.op !== 'ReorderInput' || reorder.domain !== NCHWC) return false;
    const [output = ''] = node.outputs;
    this.#writer.emit('Reshape', [this.#values.toBlocked(reorder.inputs[0] ?? ''), shape], {}, { output });
    this.#values.madePlain(output);
    return true;
  }

  /** The gradient of an image through a convolution with a stride. */
  #transposed(node: GraphNode): boolean {
    const [dy = '', w = ''] = node.inputs;
    const [output = ''] = node.outputs;
    if (!this.#values.canBeBlocked(dy) || !this.#values.canBeBlocked(output)) return false;
    const [from, weight, to] = [this.#values.sizes(dy, 1), this.#values.sizes(w), this.#values.sizes(output, 1)];
    const split = from && weight && to ? phaseSplitOf(node, from, weight, to) : null;
    if (split === null) return false;
    const name = `${output}/blocked`;
    const filterOf = this.#filters.turned(w, split.weight);
    this.#values.madeBlocked(
      output,
      writePhases(this.#writer, this.#values.toBlocked(dy), filterOf, split, this.#block, name),
    );
    return true;
  }

  #isNorm(node: GraphNode): boolean {
    const plain = node.op === 'BatchNormalization' && node.domain === '' && node.outputs.length === 1;
    return plain && intAttribute(node, 'training_mode', 0) === 0 && this.#values.canBeBlocked(node.inputs[0] ?? '');
  }
}

/** Optional inputs that are left out at the end. */
function trimmed(inputs: readonly string[]): string[] {
  return inputs.slice(0, inputs.findLastIndex((input) => input !== '') + 1);
}
