import { describe, expect, it } from 'vitest';
import { RandomStream } from '../backbone/random-stream.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { elementCount } from '../graph/model.ts';
import { ADAMW, corrections } from '../graph/optimise/optimiser.ts';
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
    ...{ model: g.build(), loss: 'loss', optimiser: ADAMW, clipNorm: 0.02, watch: [], inputDims: {} },
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
    const [correction1, correction2] = corrections(ADAMW, i + 1);
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

const opened = (given: TrainingStep) => StepRunner.open(given, { optimiser: ADAMW, seed: 1, threads: 1 });

async function drawnImages(count: number): Promise<readonly Tensor[]> {
  const { Tensor } = await loadRuntime();
  return Array.from({ length: count }, (_, i) => new Tensor('float32', uniform(elementCount(IMAGE), 50 + i), IMAGE));
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
      // Adam makes whole steps of gradients that are mostly rounding, too.
      expect([item.input, largestDifference(values, reference) < 1e-4]).toEqual([item.input, true]);
      // Weights have moved by far more than that.
      const moved = largestDifference(values, initialValues(item));
      if (item.input.startsWith('w')) expect(moved).toBeGreaterThan(5e-3);
    }
    const fed = runner.parameters();
    for (const [name, values] of runner.weights()) {
      expect(fed[name]?.dims).toEqual(given.parameters.find(({ input }) => input === name)?.dims);
      expect(fed[name]?.data).toEqual(values);
    }
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
