import { describe, expect, it } from 'vitest';
import { elementCount, floatTensor, type OnnxModel } from '../graph/model.ts';
import { buildTrainingStep } from '../graph/optimise/training-step.ts';
import { loadRuntime } from '../infer/runtime.ts';
import { HeadEvaluator } from './evaluate-head.ts';
import { evaluationGraph, HEAD, type HeadGraph, trainingGraph } from './head-graph.ts';
import { embeddingWidths, type HeadSpec, type Pooling } from './head-spec.ts';
import golden from './heads.golden.json' with { type: 'json' };
import { StepRunner } from './step-runner.ts';

/** The numbers of `heads.golden.py`: a sine of the position, by the length of the name, over the root of the inputs. */
function values(name: string, dims: readonly number[]): Float32Array {
  const scale = dims.length > 1 ? 1 / Math.sqrt(dims.at(-2) ?? 1) : 0.1;
  return Float32Array.from({ length: elementCount(dims) }, (_, i) => scale * Math.sin(0.37 * i + name.length));
}

function withValues({ model, parameters }: HeadGraph): OnnxModel {
  const initializers = model.graph.initializers.map((tensor) =>
    parameters.includes(tensor.name) ? floatTensor(tensor.name, tensor.dims, values(tensor.name, tensor.dims)) : tensor,
  );
  return { ...model, graph: { ...model.graph, initializers } };
}

const { tiles, dim } = golden;
const features = values('features of a bag', [tiles, dim]).map((value) => 3 * value);

describe.each(golden.cases)('a $pooling head, gated $gated, of $classes classes, as PyTorch computes it', (wanted) => {
  const { gated, classes, entropyWeight, instanceWeight, tileWeight } = wanted;
  const spec: HeadSpec = { pooling: wanted.pooling as Pooling, gated, classes, featureDim: dim, seed: 1 };

  it('gives the same logits and attention', async () => {
    const graph = evaluationGraph(spec);
    const sizes = new Map(graph.model.graph.initializers.map(({ name, dims }) => [name, dims]));
    const weights = new Map(graph.parameters.map((name) => [name, values(name, sizes.get(name) ?? [])]));
    const evaluator = await HeadEvaluator.open(spec, weights);
    const { logits, attention } = await evaluator.predict(features);
    await evaluator.close();
    wanted.logits.forEach((value, c) => {
      expect(logits[c]).toBeCloseTo(value, 5);
    });
    wanted.attention?.forEach((value, t) => {
      expect(attention[t]).toBeCloseTo(value, 6);
    });
  });

  it('gives the same loss, and a step against the same gradient', async () => {
    const graph = trainingGraph(spec, {
      ...{ featureDropout: 0, tileDropout: 0 },
      ...{ entropyWeight, instanceWeight, tileWeight },
    });
    const model = withValues(graph);
    const optimiser = { kind: 'sgd', momentum: 0 } as const;
    const step = buildTrainingStep({
      ...{ model, loss: HEAD.loss, optimiser, clipNorm: null, watch: [], inputDims: {} },
      groups: [{ name: 'head', parameters: graph.parameters, weightDecay: 0 }],
    });
    const runner = await StepRunner.open(step, { optimiser, seed: 1 });
    const { Tensor } = await loadRuntime();
    const width = embeddingWidths(spec.pooling).at(-1) ?? dim;
    const target = Float32Array.from({ length: classes }, (_, c) => Number(c === 1));
    const all = {
      [HEAD.features]: new Tensor('float32', features, [tiles, dim]),
      [HEAD.target]: new Tensor('float32', target, [1, classes]),
      [HEAD.featureMask]: new Tensor('float32', new Float32Array(width).fill(1), [1, width]),
      [HEAD.tileMask]: new Tensor('float32', new Float32Array(tiles), [tiles, 1]),
    };
    const data = Object.fromEntries(Object.entries(all).filter(([name]) => runner.inputNames.includes(name)));
    const { loss } = await runner.step(data, { head: 1 });
    const moved = runner.weights();
    await runner.close();
    expect(loss).toBeCloseTo(wanted.loss, 5);
    for (const [name, { norm, first }] of Object.entries(wanted.gradients)) {
      const before = values(name, model.graph.initializers.find((it) => it.name === name)?.dims ?? []);
      // A step of rate 1 of plain descent: the weights move by the gradient.
      const gradient = before.map((value, i) => value - (moved.get(name)?.[i] ?? Number.NaN));
      const length = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
      expect(Math.abs(length - norm), name).toBeLessThan(1e-4 * norm + 2e-6);
      first.forEach((value, i) => {
        expect(Math.abs((gradient[i] ?? 0) - value), `${name}[${i}]`).toBeLessThan(1e-3 * Math.abs(value) + 2e-6);
      });
    }
  });
});
