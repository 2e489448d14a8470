import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../graph/builder.ts';
import { evaluate } from '../graph/evaluate/evaluate.ts';
import { ndArray } from '../graph/evaluate/nd-array.ts';
import { crossEntropy } from '../graph/losses.ts';
import type { OnnxModel } from '../graph/model.ts';
import { ADAM, ADAMW, type OptimiserSpec } from '../graph/optimise/optimiser.ts';
import type { TrainingStepOptions } from '../graph/optimise/step-options.ts';
import { buildTrainingStep } from '../graph/optimise/training-step.ts';
import { encodeModel } from '../graph/proto.ts';
import { loadRuntime } from '../infer/runtime.ts';
import type { Feeds } from './moving-tensor.ts';
import golden from './running-statistics.golden.json' with { type: 'json' };
import { StepRunner, withValues } from './step-runner.ts';

const values = (k: number, count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(1.7 * i + 0.3 * k));

/** A small convolutional classifier: Conv-BatchNorm-Relu-Dropout-pool-Gemm. */
function network(dropout = 0): OnnxModel {
  const g = new GraphBuilder('small');
  const image = g.input('image', ['N', 2, 6, 6]);
  const conv = g.node('conv', 'Conv', [image, g.floats('kernel', [3, 2, 3, 3], values(1, 54))]);
  const norm = ['scale', 'shift', 'mean', 'variance'].map((name, k) =>
    g.floats(name, [3], Float32Array.of(0.5 + k, 0.7, 0.9)),
  );
  const relu = g.node('relu', 'Relu', [g.node('norm', 'BatchNormalization', [conv, ...norm])]);
  const dropped =
    dropout === 0 ? relu : g.node('drop', 'Dropout', [relu, g.floats('ratio', [], Float32Array.of(dropout))]);
  const pooled = g.node('flat', 'Flatten', [g.node('pool', 'GlobalAveragePool', [dropped])]);
  g.node('logits', 'Gemm', [pooled, g.floats('weight', [3, 2], values(2, 6)), g.floats('bias', [2], values(3, 2))]);
  g.output('logits', ['N', 2]);
  return g.build();
}

function withLoss(model: OnnxModel): OnnxModel {
  const g = new GraphBuilder('loss');
  crossEntropy(g, 'loss', g.input('logits', ['N', 2]), g.input('target', ['N', 2]));
  const { graph } = g.build();
  const target = graph.inputs.filter(({ name }) => name === 'target');
  return {
    ...model,
    graph: {
      ...model.graph,
      nodes: [...model.graph.nodes, ...graph.nodes],
      initializers: [...model.graph.initializers, ...graph.initializers],
      inputs: [...model.graph.inputs, ...target],
    },
  };
}

const RATES = { trunk: 0.01, head: 0.03 };
const options = (optimiser: OptimiserSpec, changes: Partial<TrainingStepOptions> = {}): TrainingStepOptions => ({
  model: withLoss(network()),
  loss: 'loss',
  groups: [
    { name: 'trunk', parameters: ['kernel', 'scale', 'shift'], weightDecay: 0.01 },
    { name: 'head', parameters: ['weight', 'bias'], weightDecay: 0 },
  ],
  optimiser,
  clipNorm: 0.5,
  watch: [],
  inputDims: {},
  ...changes,
});

async function batch(first: number, count: number): Promise<Feeds> {
  const { Tensor } = await loadRuntime();
  const image = values(4, 6 * 72).slice(first * 72, (first + count) * 72);
  const target = Float32Array.from({ length: count * 2 }, (_, i) => Number(i % 2 === (first + (i >> 1)) % 2));
  return {
    image: new Tensor('float32', image, [count, 2, 6, 6]),
    target: new Tensor('float32', target, [count, 2]),
  };
}

async function train(step: TrainingStepOptions, steps: number, seed = 1) {
  const runner = await StepRunner.open(buildTrainingStep(step), { optimiser: step.optimiser, seed, threads: 1 });
  const losses: number[] = [];
  for (let t = 0; t < steps; t++) losses.push((await runner.step(await batch(0, 6), RATES)).loss);
  const weights = runner.weights();
  await runner.close();
  return { losses, weights };
}

function expectSame(actual: ReadonlyMap<string, Float32Array>, expected: ReadonlyMap<string, Float32Array>): void {
  for (const [name, reference] of expected) {
    const scale = Math.max(...reference.map(Math.abs));
    const worst = Math.max(...reference.map((value, i) => Math.abs(value - (actual.get(name)?.[i] ?? Number.NaN))));
    expect(worst / scale, name).toBeLessThan(2e-6);
  }
}

describe('micro-batches', () => {
  it.each([
    ['adam', ADAM],
    ['adamw', ADAMW],
    ['sgd', { kind: 'sgd', momentum: 0.9 }],
  ] as const)('add up to the whole batch: %s', async (_name, optimiser) => {
    const whole = await train(options(optimiser), 4);
    const step = buildTrainingStep(options(optimiser, { accumulate: true }));
    const runner = await StepRunner.open(step, { optimiser, seed: 1, threads: 1 });
    for (let t = 0; t < 4; t++) {
      for (const [first, count] of [
        [0, 1],
        [1, 2],
        [3, 3],
      ] as const) {
        await runner.accumulate(await batch(first, count), count / 6);
      }
      await runner.update(RATES);
    }
    expectSame(runner.weights(), whole.weights);
    await runner.close();
  });
});

describe('loss scaling', () => {
  it('by a power of two changes nothing in single precision', async () => {
    const plain = await train(options(ADAM), 4);
    const scaled = await train(options(ADAM, { lossScaling: true }), 4);
    expect(scaled.losses).toEqual(plain.losses);
    expectSame(scaled.weights, plain.weights);
  });

  it.each([false, true])('skips a step that overflows, and halves the scale (accumulating: %s)', async (accumulate) => {
    const step = buildTrainingStep(options(ADAM, { lossScaling: true, accumulate, batchNorm: 'frozen' }));
    const runner = await StepRunner.open(step, {
      optimiser: ADAM,
      seed: 1,
      lossScale: { scale: 2 ** 127, goodSteps: 0 },
    });
    const { Tensor } = await loadRuntime();
    const data = await batch(0, 6);
    const wild = {
      ...data,
      image: new Tensor(
        'float32',
        values(4, 6 * 72).map((v) => v * 1e6),
        [6, 2, 6, 6],
      ),
    };
    const run = async (feeds: Feeds) => {
      if (!accumulate) return (await runner.step(feeds, RATES)).skipped;
      await runner.accumulate(feeds, 1);
      return await runner.update(RATES);
    };
    const before = runner.weights();
    expect(await run(wild)).toBe(true);
    expect(runner.weights()).toEqual(before);
    expect(runner.values('m/kernel').every((value) => value === 0)).toBe(true);
    expect(runner.lossScale).toEqual({ scale: 2 ** 126, goodSteps: 0 });
    runner.lossScale = { scale: 1024, goodSteps: 1999 };
    expect(await run(data)).toBe(false);
    expect(runner.weights()).not.toEqual(before);
    expect(runner.lossScale).toEqual({ scale: 2048, goodSteps: 0 });
    await runner.close();
  });
});

describe('batch norms and dropout in training', () => {
  it('move running statistics only when asked', async () => {
    const frozen = await train(options(ADAM), 2);
    expect(frozen.weights.has('mean')).toBe(false);
    const batchwise = await train(options(ADAM, { batchNorm: 'batch' }), 2);
    expect(batchwise.weights.get('mean')).not.toEqual(Float32Array.of(2.5, 0.7, 0.9));
  });

  it("move running statistics as PyTorch's do, the variance unbiased", async () => {
    const step = options({ kind: 'sgd', momentum: 0 }, { batchNorm: 'batch' });
    const runner = await StepRunner.open(buildTrainingStep(step), { optimiser: step.optimiser, seed: 1, threads: 1 });
    for (let t = 0; t < 3; t++) await runner.step(await batch(0, 6), { trunk: 0, head: 0 });
    const moved = runner.weights();
    await runner.close();
    for (const name of ['mean', 'variance'] as const) {
      golden[name].forEach((value, channel) => {
        expect(moved.get(name)?.[channel], name).toBeCloseTo(value, 5);
      });
    }
  });

  it('are repeatable by their seed', async () => {
    const dropping = options(ADAM, { model: withLoss(network(0.5)) });
    const [first, again, other] = [
      await train(dropping, 3, 5),
      await train(dropping, 3, 5),
      await train(dropping, 3, 6),
    ];
    expect(again.weights).toEqual(first.weights);
    expect(other.weights).not.toEqual(first.weights);
  });
});

const hasOnnx = spawnSync('/usr/bin/python3', ['-c', 'import onnx']).status === 0;

describe('a trained network', () => {
  it('is plain ONNX that gives the same in another evaluator', async () => {
    const { weights } = await train(options(ADAM, { batchNorm: 'batch' }), 5);
    const trained = withValues(network(), weights);
    const { InferenceSession } = await loadRuntime();
    const session = await InferenceSession.create(encodeModel(trained));
    const data = await batch(0, 6);
    const fast = (await session.run({ image: data.image as never })).logits?.data as Float32Array;
    await session.release();
    const exact = evaluate(trained, { image: ndArray([6, 2, 6, 6], values(4, 6 * 72)) }).get('logits')?.data ?? [];
    expect(Math.max(...fast.map((value, i) => Math.abs(value - (exact[i] ?? Number.NaN))))).toBeLessThan(1e-5);
    expect(fast.length).toBe(12);
  });

  it.skipIf(!hasOnnx)("passes ONNX's own checker", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hyaline-onnx-'));
    const { weights } = await train(options(ADAM), 1);
    const paths = ['trained', 'step', 'accumulate', 'update'].map((name) => join(folder, `${name}.onnx`));
    const single = buildTrainingStep(options(ADAM, { lossScaling: true, batchNorm: 'batch' }));
    const split = buildTrainingStep(options(ADAM, { accumulate: true }));
    const models = [withValues(network(), weights), single.model, split.model, split.update ?? split.model];
    for (const [i, model] of models.entries()) writeFileSync(paths[i] ?? '', encodeModel(model));
    const code = 'import onnx,sys\nfor p in sys.argv[1:]: onnx.checker.check_model(p)\nprint("checked")';
    expect(execFileSync('/usr/bin/python3', ['-c', code, ...paths], { encoding: 'utf8' })).toContain('checked');
    rmSync(folder, { recursive: true });
  });
});
