import { describe, expect, it } from 'vitest';
import { RandomStream } from '../backbone/random-stream.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { elementCount, floatTensor, type GraphTensor, type OnnxModel } from '../graph/model.ts';
import { ADAM, ADAMW, corrections, type OptimiserSpec, stateNames } from '../graph/optimise/optimiser.ts';
import { gradientInput, LOSS_SCALE, rateInput } from '../graph/optimise/step-options.ts';
import { updateGraph } from '../graph/optimise/update-graph.ts';
import { encodeModel } from '../graph/proto.ts';
import { inStrips } from '../graph/strips/in-strips.ts';
import { loadRuntime, openSession, type Session } from '../infer/runtime.ts';
import { type Feeds, MovingTensor } from './moving-tensor.ts';

const whole = (stream: RandomStream, low: number, high: number): number =>
  low + Math.floor(stream.nextUniform() * (high - low + 1));

/** Large enough to be cut into strips, in more than one shape. */
const SHAPES = [
  [4, 192, 256],
  [3, 5, 7, 2048],
] as const;

/**
 * Operators on each number by itself, drawn at random over two shapes, with sums of all numbers between that later
 * operators take: they must wait for a whole value.
 */
function drawn(seed: number): OnnxModel {
  const stream = new RandomStream(seed, 'strips');
  const g = new GraphBuilder('drawn');
  const values = SHAPES.map((dims, i) => [g.input(`a${i}`, dims), g.input(`b${i}`, dims)]);
  const numbers = [g.floats('half', [], Float32Array.of(0.5))];
  const pick = (from: readonly string[]): string => from[whole(stream, 0, from.length - 1)] ?? '';
  for (let i = 0; i < 24; i++) {
    const of = values[whole(stream, 0, 1)] ?? [];
    const name = `n${i}`;
    const kind = whole(stream, 0, 9);
    if (kind === 0) numbers.push(g.node(name, 'ReduceMean', [pick(of)], { keepdims: 0 }));
    else if (kind === 1)
      of.push(g.node(name, 'Where', [g.node(`${name}_is`, 'Greater', [pick(of), pick(numbers)]), pick(of), pick(of)]));
    else if (kind === 2) of.push(g.node(name, 'Sqrt', [g.node(`${name}_abs`, 'Abs', [pick(of)])]));
    else if (kind < 6) of.push(g.node(name, 'Mul', [pick(of), pick(numbers)]));
    else of.push(g.node(name, ['Add', 'Sub', 'Max', 'Mul'][kind - 6] ?? 'Add', [pick(of), pick(of)]));
  }
  for (const [i, of] of values.entries()) {
    g.output(of.at(-1) ?? '', SHAPES[i] ?? null);
    g.output(of.at(-3) ?? '', SHAPES[i] ?? null);
  }
  return g.build();
}

const scans = (model: OnnxModel): number => model.graph.nodes.filter(({ op }) => op === 'Scan').length;

const opened = (model: OnnxModel): Promise<Session> =>
  openSession({ model: encodeModel(model), provider: 'cpu', threads: 1 });

function uniform(count: number, seed: number): Float32Array {
  const stream = new RandomStream(seed, 'numbers');
  return Float32Array.from({ length: count }, () => stream.nextUniform() - 0.5);
}

const bytesOf = (values: Float32Array): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
const sameBits = (a: Float32Array, b: Float32Array): boolean => bytesOf(a).equals(bytesOf(b));

describe('chains over large values, strip by strip', () => {
  it.for([1, 2, 3, 4, 5, 6])('give the same bits as one operator after the other: graph %i', async (seed) => {
    const model = drawn(seed);
    const strips = inStrips(model);
    expect(scans(strips)).toBeGreaterThan(0);
    const { Tensor } = await loadRuntime();
    const feeds = Object.fromEntries(
      model.graph.inputs.map(({ name, dims }, i) => {
        const sizes = (dims ?? []).map(Number);
        return [name, new Tensor('float32', uniform(elementCount(sizes), 10 * seed + i), sizes)];
      }),
    );
    const run = async (each: OnnxModel): Promise<Feeds> => {
      const session = await opened(each);
      const known = Object.entries(feeds).filter(([name]) => session.inputNames.includes(name));
      const out = await session.run(Object.fromEntries(known));
      await session.release();
      return out as Feeds;
    };
    const [expected, actual] = [await run(model), await run(strips)];
    for (const [name, { data }] of Object.entries(expected)) {
      expect([name, sameBits(data as Float32Array, actual[name]?.data as Float32Array)]).toEqual([name, true]);
    }
  });

  it('leaves small values and short chains alone', () => {
    const g = new GraphBuilder('short');
    const [small, large] = [g.input('small', [64, 64]), g.input('large', [512, 512])];
    g.output(g.node('a', 'Exp', [g.node('b', 'Neg', [g.node('c', 'Abs', [small])])]), [64, 64]);
    g.output(g.node('d', 'Exp', [g.node('e', 'Neg', [large])]), [512, 512]);
    const model = g.build();
    expect(inStrips(model)).toBe(model);
  });
});

const SGD: OptimiserSpec = { kind: 'sgd', momentum: 0.9 };

interface UpdateCase {
  readonly optimiser: OptimiserSpec;
  readonly clipNorm: number | null;
  readonly lossScaling: boolean;
}

/** Inputs of one update beside weights and state; the last one overflows. */
async function inputsOf({ optimiser, lossScaling }: UpdateCase, weights: readonly GraphTensor[], step: number) {
  const { Tensor } = await loadRuntime();
  const [correction1, correction2] = corrections(optimiser, step);
  const numbers = { [rateInput('all')]: 0.01, correction1, correction2, [LOSS_SCALE]: 8 };
  const scalars = Object.entries(numbers).map(
    ([name, x]) => [name, new Tensor('float32', Float32Array.of(x), [])] as const,
  );
  const gradients = weights.map(({ name, dims }, i) => {
    const values = uniform(elementCount(dims), 100 * step + i);
    if (lossScaling && step === 3 && i === 0) values[7] = Number.POSITIVE_INFINITY;
    return [gradientInput(name), new Tensor('float32', values, dims)] as const;
  });
  return Object.fromEntries([...scalars, ...gradients]);
}

describe('an update in strips, over the state it read', () => {
  it.for<UpdateCase>([
    { optimiser: ADAM, clipNorm: null, lossScaling: false },
    { optimiser: ADAMW, clipNorm: 0.5, lossScaling: false },
    { optimiser: ADAM, clipNorm: 0.5, lossScaling: true },
    { optimiser: SGD, clipNorm: null, lossScaling: true },
  ])('is the update of the plain graph: %o', async (given) => {
    const dims = [[512, 24, 3, 5], [300]] as const;
    const weights = dims.map((sizes, i) => floatTensor(`w${i}`, sizes, uniform(elementCount(sizes), i)));
    const groups = [{ name: 'all', parameters: weights.map(({ name }) => name), weightDecay: 0.01 }];
    const { model } = updateGraph({ ...given, groups }, weights);
    const strips = inStrips(model);
    expect(scans(strips)).toBeGreaterThan(0);
    const runtime = await loadRuntime();
    const tensors = weights.flatMap((initial) => {
      const state = stateNames(given.optimiser).map((kind) => ({ input: `${kind}/${initial.name}`, initial: null }));
      return [{ input: initial.name, initial }, ...state].map((item) => ({
        ...{ ...item, output: `${item.input}/next`, dims: initial.dims },
        writing: item.initial === null ? ('in place' as const) : ('in turn' as const),
      }));
    });
    const moving = tensors.map((item) => ({ item, tensor: new MovingTensor(runtime, item, item.writing) }));
    let plain: Record<string, Float32Array> = Object.fromEntries(
      moving.map(({ item, tensor }) => [item.input, tensor.values()]),
    );
    const [a, b] = [await opened(model), await opened(strips)];
    for (let step = 1; step <= 3; step++) {
      const inputs = await inputsOf(given, weights, step);
      const feeds = (values: Feeds): Feeds => {
        return Object.fromEntries(
          Object.entries({ ...inputs, ...values }).filter(([name]) => a.inputNames.includes(name)),
        );
      };
      const before = plain;
      const held = tensors.map(({ input, dims: sizes }) => [
        input,
        new runtime.Tensor('float32', before[input] ?? new Float32Array(), sizes),
      ]);
      const results = await a.run(feeds(Object.fromEntries(held)));
      plain = Object.fromEntries(tensors.map(({ input, output }) => [input, results[output]?.data as Float32Array]));
      const outputs = Object.fromEntries(b.outputNames.map((name) => [name, null as Feeds[string] | null]));
      for (const { item, tensor } of moving) outputs[item.output] = tensor.next(b, item.output);
      await b.run(feeds(Object.fromEntries(moving.map(({ item, tensor }) => [item.input, tensor.current]))), outputs);
      for (const { tensor } of moving) tensor.advance(undefined);
      for (const { item, tensor } of moving) {
        expect([item.input, step, sameBits(tensor.values(), plain[item.input] ?? new Float32Array())]).toEqual([
          item.input,
          step,
          true,
        ]);
        if (given.lossScaling && step === 3)
          expect(sameBits(tensor.values(), before[item.input] ?? new Float32Array())).toBe(true);
      }
    }
    await a.release();
    await b.release();
  });
});
