import { describe, expect, it } from 'vitest';
import { loadRuntime } from '../../infer/runtime.ts';
import { GraphBuilder } from '../builder.ts';
import { encodeModel } from '../proto.ts';
import { ADAM, ADAMW, corrections, type OptimiserSpec } from './optimiser.ts';
import { rateInput } from './step-options.ts';
import golden from './training-step.golden.json' with { type: 'json' };
import { buildTrainingStep, initialValues } from './training-step.ts';

const CASES: Readonly<Record<string, { readonly optimiser: OptimiserSpec; readonly clipNorm: number | null }>> = {
  adam: { optimiser: ADAM, clipNorm: null },
  adamw: { optimiser: ADAMW, clipNorm: null },
  sgd: { optimiser: { kind: 'sgd', momentum: 0 }, clipNorm: null },
  'sgd momentum clipped': { optimiser: { kind: 'sgd', momentum: 0.9 }, clipNorm: 0.2 },
};

/** The formula of the golden script. */
const values = (k: number, count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(1.7 * i + 0.3 * k));

function regression() {
  const g = new GraphBuilder('regression');
  const [x, t] = [g.input('x', ['N', 4]), g.input('t', ['N', 3])];
  const [w1, b1, w2] = [
    g.floats('w1', [4, 6], values(0, 24)),
    g.floats('b1', [6], values(1, 6)),
    g.floats('w2', [6, 3], values(2, 18)),
  ];
  const hidden = g.node('hidden', 'Tanh', [g.node('z', 'Gemm', [x, w1, b1])]);
  const error = g.node('error', 'Sub', [g.node('y', 'MatMul', [hidden, w2]), t]);
  g.node('loss', 'ReduceMean', [g.node('square', 'Mul', [error, error])], { keepdims: 0 });
  return g.build();
}

const step = (optimiser: OptimiserSpec, clipNorm: number | null) =>
  buildTrainingStep({
    model: regression(),
    loss: 'loss',
    groups: [
      { name: 'trunk', parameters: ['w1', 'b1'], weightDecay: 0.1 },
      { name: 'head', parameters: ['w2'], weightDecay: 0 },
    ],
    optimiser,
    clipNorm,
    watch: [],
    inputDims: {},
  });

async function train(optimiser: OptimiserSpec, clipNorm: number | null, steps: number) {
  const runtime = await loadRuntime();
  const built = step(optimiser, clipNorm);
  const tensor = (data: Float32Array, dims: readonly number[]) => new runtime.Tensor('float32', data, dims);
  const session = await runtime.InferenceSession.create(encodeModel(built.model));
  const kept = [...built.parameters, ...built.state];
  let feeds = Object.fromEntries(kept.map((item) => [item.input, tensor(initialValues(item), item.dims)]));
  const data = { x: tensor(values(5, 32), [8, 4]), t: tensor(values(6, 24), [8, 3]) };
  const rates = {
    [rateInput('trunk')]: tensor(Float32Array.of(0.01), []),
    [rateInput('head')]: tensor(Float32Array.of(0.05), []),
  };
  const losses: number[] = [];
  for (let t = 1; t <= steps; t++) {
    const [c1, c2] = corrections(optimiser, t);
    const numbers = { correction1: tensor(Float32Array.of(c1), []), correction2: tensor(Float32Array.of(c2), []) };
    const out = await session.run({ ...data, ...rates, ...numbers, ...feeds });
    losses.push(Number(out[built.loss]?.data[0]));
    feeds = Object.fromEntries(
      kept.map((item) => [item.input, tensor(out[item.output]?.data as Float32Array, item.dims)]),
    );
  }
  await session.release();
  return { losses, w1: feeds.w1?.data as Float32Array };
}

describe('a training step', () => {
  it.each(golden.map(({ name }) => name))('follows PyTorch: %s', async (name) => {
    const expected = golden.find((item) => item.name === name);
    const { optimiser, clipNorm } = CASES[name] ?? { optimiser: ADAM, clipNorm: null };
    const { losses, w1 } = await train(optimiser, clipNorm, expected?.losses.length ?? 0);
    for (const [i, loss] of (expected?.losses ?? []).entries()) expect(losses[i]).toBeCloseTo(loss, 5);
    for (const [i, weight] of (expected?.w1 ?? []).entries()) expect(w1[i]).toBeCloseTo(weight, 4);
    expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
  });

  it('refuses a parameter that the loss does not reach', () => {
    const g = new GraphBuilder('lost');
    const x = g.input('x', [2]);
    g.floats('lost', [2], values(0, 2));
    g.node('loss', 'ReduceSum', [x], { keepdims: 0 });
    const groups = [{ name: 'all', parameters: ['lost'], weightDecay: 0 }];
    const options = { loss: 'loss', groups, optimiser: ADAM, clipNorm: null, watch: [], inputDims: {} };
    expect(() => buildTrainingStep({ model: g.build(), ...options })).toThrow(/lost/);
  });
});
