import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../backbone/random-stream.ts';
import { GraphBuilder } from '../builder.ts';
import { evaluate } from '../evaluate/evaluate.ts';
import { ndArray } from '../evaluate/nd-array.ts';
import { inTrainingMode, measureBatchNorms } from './batch-norm-training.ts';
import { drawMask, withDropoutMasks } from './dropout.ts';

const values = (k: number, count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(1.7 * i + 0.3 * k));

function norm() {
  const g = new GraphBuilder('norm');
  const x = g.input('x', [2, 2, 2, 3]);
  const [scale, shift] = [g.floats('scale', [2], values(1, 2)), g.floats('shift', [2], values(2, 2))];
  const [mean, variance] = [g.floats('mean', [2], values(3, 2)), g.floats('variance', [2], Float32Array.of(1, 2))];
  g.node('y', 'BatchNormalization', [x, scale, shift, mean, variance]);
  return g.build();
}

describe('batch normalisation in training', () => {
  // torch.nn.functional.batch_norm(x, mean, variance, scale, shift, True, 0.1, 1e-5) with the same values, PyTorch 1.13
  const TORCH = { mean: [0.719, 0.4571], variance: [0.9523, 1.8541] };

  it('moves the running statistics as PyTorch does', () => {
    const { model, running, batchNorms } = measureBatchNorms(inTrainingMode(norm()));
    const results = evaluate(model, { x: ndArray([2, 2, 2, 3], values(0, 24)) });
    const next = Object.fromEntries(running.map(({ tensor, next: name }) => [tensor, results.get(name)?.data ?? []]));
    for (const i of [0, 1]) {
      expect(next.mean?.[i]).toBeCloseTo(TORCH.mean[i] ?? 0, 4);
      expect(next.variance?.[i]).toBeCloseTo(TORCH.variance[i] ?? 0, 4);
    }
    expect(batchNorms.size).toBe(1);
  });

  it('leaves frozen norms as they are', () => {
    expect(measureBatchNorms(norm()).model.graph.nodes).toEqual(norm().graph.nodes);
    expect(measureBatchNorms(inTrainingMode(norm(), new Set(['other']))).running).toEqual([]);
  });
});

describe('dropout', () => {
  const network = () => {
    const g = new GraphBuilder('dropping');
    const x = g.input('x', ['N', 5]);
    const dropped = g.node('dropped', 'Dropout', [x, g.floats('ratio', [], Float32Array.of(0.4))]);
    g.node('kept', 'Dropout', [dropped, g.floats('none', [], Float32Array.of(0))]);
    return g.build();
  };

  it('becomes a mask of the same shape; a ratio of 0 becomes nothing', () => {
    const { model, masks } = withDropoutMasks(network());
    expect(masks).toEqual([{ input: 'dropout/0', dims: ['N', 5], ratio: expect.closeTo(0.4, 6) }]);
    expect(model.graph.nodes.map(({ op }) => op)).toEqual(['Mul', 'Identity']);
  });

  it('is repeatable by its seed, and keeps the mean', () => {
    const draw = (seed: number) => drawMask(new RandomStream(seed, 'mask'), 20_000, 0.4);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(2)).not.toEqual(draw(1));
    const mask = draw(3);
    expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / 0.6)]));
    expect(mask.reduce((sum, value) => sum + value, 0) / mask.length).toBeCloseTo(1, 1);
  });
});
