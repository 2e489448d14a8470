import { describe, expect, it } from 'vitest';
import { RandomStream } from '../backbone/random-stream.ts';
import { type HeldFilters, holdFilters } from '../graph/blocked/held-filters.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { type Dimension, elementCount, intsAttribute } from '../graph/model.ts';
import { corrections, type OptimiserSpec } from '../graph/optimise/optimiser.ts';
import { rateInput } from '../graph/optimise/step-options.ts';
import { buildTrainingStep, initialValues, type TrainingStep } from '../graph/optimise/training-step.ts';
import { encodeModel } from '../graph/proto.ts';
import { channelBlock } from '../infer/channel-block.ts';
import { loadRuntime, openSession } from '../infer/runtime.ts';
import type { Tensor } from './moving-tensor.ts';
import { StepRunner } from './step-runner.ts';

const SIDE = 9;
const IMAGE = [2, 3, SIDE, SIDE];
const RATES = { all: 0.01 };
/** With an epsilon as large as the gradients are, so that a gradient of a wrong size gives a wrong step. */
const OPTIMISER: OptimiserSpec = { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-3 };

function uniform(count: number, seed: number): Float32Array {
  const stream = new RandomStream(seed, 'held');
  return Float32Array.from({ length: count }, () => 0.4 * (stream.nextUniform() - 0.5));
}

/** Filters with and without stride, with holes, in groups, of one tap, behind frozen norms, read twice: every way one can be held. */
function step(unit: number): TrainingStep {
  const g = new GraphBuilder('filters');
  const parameters: string[] = [];
  const filter = (name: string, dims: readonly number[]): string => {
    parameters.push(name);
    return g.floats(name, dims, uniform(elementCount(dims), parameters.length));
  };
  const conv = (name: string, x: string, w: string, kernel: number, strides = 1, group = 1, apart = 1): string => {
    const pads = [1, 1, 1, 1].map((pad) => pad * apart * (kernel >> 1));
    const [shape, by, dilations] = [
      [kernel, kernel],
      [strides, strides],
      [apart, apart],
    ] as const;
    return g.node(name, 'Conv', [x, w], { kernel_shape: shape, strides: by, dilations, pads, group });
  };
  const norm = (name: string, x: string, channels: number): string => {
    const parts = [1.2, 0.1, 0.05, 0.8].map((value, i) => {
      return g.floats(`${name}_${i}`, [channels], new Float32Array(channels).fill(value));
    });
    parameters.push(`${name}_0`, `${name}_1`);
    return g.node(name, 'BatchNormalization', [x, ...parts]);
  };
  const stem = g.node('stem', 'Relu', [conv('stem_conv', g.input('image', IMAGE), filter('w0', [unit, 3, 3, 3]), 3)]);
  const wide = filter('w1', [2 * unit, unit, 3, 3]);
  const first = g.node('first', 'Relu', [norm('norm', conv('c1', stem, wide, 3, 2), 2 * unit)]);
  const grouped = g.node('second', 'Tanh', [conv('c2', first, filter('w2', [2 * unit, unit, 3, 3]), 3, 1, 2)]);
  const point = conv('c3', grouped, filter('w3', [unit, 2 * unit, 1, 1]), 1);
  const twice = filter('w4', [unit, unit, 3, 3]);
  const again = conv('c5', g.node('between', 'Relu', [conv('c4', point, twice, 3)]), twice, 3);
  const last = conv('c6', again, filter('w5', [unit, unit, 3, 3]), 3, 2, 1, 2);
  g.node('loss', 'ReduceMean', [g.node('square', 'Mul', [last, last])], { keepdims: 0 });
  return buildTrainingStep({
    ...{ model: g.build(), loss: 'loss', optimiser: OPTIMISER, clipNorm: 0.02, watch: [], inputDims: {} },
    groups: [{ name: 'all', parameters, weightDecay: 0.1 }],
  });
}

/** The weights after some steps of the plain graph, by hand. */
async function plainly(given: TrainingStep, images: readonly Tensor[]): Promise<ReadonlyMap<string, Float32Array>> {
  const { Tensor } = await loadRuntime();
  const session = await openSession({ model: encodeModel(given.model), provider: 'cpu', threads: 1 });
  const moving = [...given.parameters, ...given.state];
  let now = new Map(moving.map((item) => [item.input, initialValues(item)]));
  for (const [i, image] of images.entries()) {
    const [correction1, correction2] = corrections(OPTIMISER, i + 1);
    const numbers = Object.entries({ [rateInput('all')]: RATES.all, correction1, correction2 });
    const feeds = Object.fromEntries([
      ['image', image],
      ...numbers.map(([name, value]) => [name, new Tensor('float32', Float32Array.of(value), [])] as const),
      ...moving.map(({ input, dims }) => [input, new Tensor('float32', now.get(input) ?? [], dims)] as const),
    ]);
    const results = await session.run(feeds);
    now = new Map(moving.map(({ input, output }) => [input, results[output]?.data as Float32Array]));
  }
  await session.release();
  return now;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}

const opened = (given: TrainingStep) => StepRunner.open(given, { optimiser: OPTIMISER, seed: 1, threads: 1 });

async function drawnImages(count: number): Promise<readonly Tensor[]> {
  const { Tensor } = await loadRuntime();
  return Array.from({ length: count }, (_, i) => new Tensor('float32', uniform(elementCount(IMAGE), 50 + i), IMAGE));
}

/** One filter and what is done with it; sizes are channels in blocks, and pixels. */
interface Layer {
  readonly blocks: readonly [into: number, out: number];
  readonly kernel: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly dilations?: readonly [number, number];
  readonly pads?: readonly [top: number, left: number, bottom: number, right: number];
  readonly group?: number;
  readonly sizePx: readonly [number, number];
  readonly batch: Dimension;
}

/** Windows of every kind; some leave rows and columns over that no window reaches. */
const LAYERS: readonly Layer[] = [
  { blocks: [1, 2], kernel: [3, 3], pads: [1, 1, 1, 1], sizePx: [7, 6], batch: 2 },
  { blocks: [2, 1], kernel: [2, 3], pads: [0, 2, 1, 0], sizePx: [5, 7], batch: 'N' },
  { blocks: [1, 1], kernel: [3, 2], strides: [2, 3], sizePx: [8, 9], batch: 3 },
  { blocks: [2, 2], kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], sizePx: [8, 8], batch: 'N' },
  { blocks: [1, 1], kernel: [3, 3], strides: [2, 1], dilations: [2, 3], pads: [2, 3, 2, 3], sizePx: [9, 10], batch: 2 },
  { blocks: [2, 2], kernel: [3, 3], group: 2, pads: [1, 1, 1, 1], sizePx: [5, 5], batch: 2 },
  // A number of blocks by which no power of two is divided without a remainder.
  { blocks: [49, 1], kernel: [2, 2], pads: [0, 0, 1, 1], sizePx: [3, 3], batch: 1 },
  // Too long for the kernels of the blocked layout.
  { blocks: [1, 1], kernel: [17, 1], sizePx: [19, 2], batch: 2 },
];

function oneLayer({ blocks, kernel, sizePx, batch, group = 1, ...window }: Layer, block: number): TrainingStep {
  const g = new GraphBuilder('layer');
  const [into, out] = blocks.map((count) => count * block) as [number, number];
  const x = g.input('image', [batch, into, ...sizePx]);
  const w = g.floats('w', [out, into / group, ...kernel], uniform((out * into * kernel[0] * kernel[1]) / group, 7));
  const y = g.node('y', 'Tanh', [g.node('conv', 'Conv', [x, w], { kernel_shape: kernel, group, ...window })]);
  g.node('loss', 'ReduceSum', [g.node('square', 'Mul', [y, y])], { keepdims: 0 });
  return buildTrainingStep({
    ...{ model: g.build(), loss: 'loss', optimiser: OPTIMISER, clipNorm: null, watch: [], inputDims: {} },
    groups: [{ name: 'all', parameters: ['w'], weightDecay: 0 }],
  });
}

/** Axes of the kernels of convolutions that give weight gradients, of all that a step convolves. */
function gradientAxes({ model }: TrainingStep, held: HeldFilters): readonly number[] {
  const convolutions = holdFilters(model, held).graph.nodes.filter(({ op }) => op === 'Conv');
  return convolutions.map((node) => intsAttribute(node, 'kernel_shape')?.length ?? 0).filter((axes) => axes !== 2);
}

describe('filters held in blocks of channels', () => {
  it('are trained as the plain graph trains them, and given out in the order everybody knows', async ({ skip }) => {
    const block = await channelBlock();
    if (block === null) return skip('this processor has no blocked layout');
    const given = step(block);
    const moving = [...given.parameters, ...given.state];
    const runner = await opened(given);
    expect([...(runner.held?.names ?? [])].filter((name) => /^w/.test(name)).sort()).toEqual(['w1', 'w2', 'w4', 'w5']);
    const images = await drawnImages(3);
    const expected = await plainly(given, images);
    for (const image of images) await runner.step({ image }, RATES);
    for (const item of moving) {
      const [values, reference] = [runner.values(item.input), expected.get(item.input) ?? new Float32Array()];
      const moved = largestDifference(values, initialValues(item));
      expect([item.input, largestDifference(values, reference) < 1e-5 * moved]).toEqual([item.input, true]);
      if (item.input.startsWith('w')) expect(moved).toBeGreaterThan(5e-3);
    }
    const fed = runner.parameters();
    for (const [name, values] of runner.weights()) {
      expect(fed[name]?.dims).toEqual(given.parameters.find(({ input }) => input === name)?.dims);
      expect(fed[name]?.data).toEqual(values);
    }
    await runner.close();
  });

  it.for(LAYERS)('find the gradient of every window: %o', async (layer, { skip }) => {
    const block = await channelBlock();
    if (block === null) return skip('this processor has no blocked layout');
    const given = oneLayer(layer, block);
    const { Tensor } = await loadRuntime();
    const dims = [typeof layer.batch === 'number' ? layer.batch : 3, layer.blocks[0] * block, ...layer.sizePx];
    const image = new Tensor('float32', uniform(elementCount(dims), 50), dims);
    const runner = await opened(given);
    await runner.step({ image }, RATES);
    const expected = (await plainly(given, [image])).get('m/w') ?? new Float32Array();
    const found = runner.values('m/w');
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeGreaterThan(1e-3);
    expect(largestDifference(found, expected)).toBeLessThan(1e-5 * largest);
    // Read where the images lie; those of groups are found as in the plain graph.
    if (runner.held === null) throw new Error('nothing is held');
    expect(gradientAxes(given, runner.held)).toEqual(layer.group === undefined ? [3] : []);
    await runner.close();
  });

  it('are as they were after a step that failed', async () => {
    const given = step((await channelBlock()) ?? 8);
    const { Tensor } = await loadRuntime();
    const runner = await opened(given);
    const before = runner.snapshot();
    const wrong = new Tensor('float32', new Float32Array(12), [1, 3, 2, 2]);
    await expect(runner.step({ image: wrong }, RATES)).rejects.toThrow(/invalid dimensions/i);
    expect(runner.snapshot()).toEqual(before);
    await runner.close();
  });

  it('go on after a snapshot as if nothing had been', async () => {
    const given = step((await channelBlock()) ?? 8);
    const images = await drawnImages(4);
    const [through, before, after] = [await opened(given), await opened(given), await opened(given)];
    for (const image of images) await through.step({ image }, RATES);
    for (const image of images.slice(0, 2)) await before.step({ image }, RATES);
    after.restore(before.snapshot());
    for (const image of images.slice(2)) await after.step({ image }, RATES);
    expect(after.snapshot()).toEqual(through.snapshot());
    for (const runner of [through, before, after]) await runner.close();
  });
});
