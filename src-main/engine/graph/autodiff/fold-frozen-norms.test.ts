import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../backbone/random-stream.ts';
import { GraphBuilder } from '../builder.ts';
import { evaluate } from '../evaluate/evaluate.ts';
import { type NdArray, ndArray } from '../evaluate/nd-array.ts';
import type { OnnxModel } from '../model.ts';
import { differentiate } from './differentiate.ts';
import { foldFrozenNorms } from './fold-frozen-norms.ts';

const PARAMETERS = ['w', 'b', 'scale', 'shift', 'w2', 'scale2', 'shift2'];

interface Shape {
  readonly group: number;
  readonly stride: number;
  readonly side: number;
}

/** conv, norm, relu, conv without bias, norm, joined with the first norm's result; the loss is a sum of squares. */
function network({ group, stride, side }: Shape): OnnxModel {
  const stream = new RandomStream(group, 'norms');
  const g = new GraphBuilder('norms');
  const floats = (name: string, dims: readonly number[], from = -1, to = 1): string => {
    const count = dims.reduce((product, dim) => product * dim, 1);
    return g.floats(
      name,
      dims,
      Float32Array.from({ length: count }, () => from + (to - from) * stream.nextUniform()),
    );
  };
  const x = g.input('x', [2, 4, side, side]);
  const norm = (name: string, input: string, n: string): string =>
    g.node(name, 'BatchNormalization', [
      ...[input, floats(`scale${n}`, [4]), floats(`shift${n}`, [4]), floats(`mean${n}`, [4])],
      floats(`variance${n}`, [4], 0.2, 3),
    ]);
  const weights = [floats('w', [4, 4 / group, 3, 3]), floats('b', [4])];
  const strides = [stride, stride];
  const first = g.node('conv', 'Conv', [x, ...weights], { group, pads: [1, 1, 1, 1], strides });
  const relu = g.node('relu', 'Relu', [norm('norm', first, '')]);
  const second = g.node('conv2', 'Conv', [relu, floats('w2', [4, 4, 1, 1])]);
  const sum = g.node('sum', 'Add', [norm('norm2', second, '2'), relu]);
  g.node('loss', 'ReduceSum', [g.node('square', 'Mul', [sum, sum])], { keepdims: 0 });
  return g.build();
}

function gradientsOf(model: OnnxModel, x: NdArray): ReadonlyMap<string, readonly number[]> {
  const values = [...PARAMETERS, 'x'];
  const { tape, gradients } = differentiate(model, 'loss', values);
  const results = evaluate(tape.close(['loss', ...gradients.values()]), { x });
  const named = values.map((name) => [name, [...(results.get(gradients.get(name) ?? '')?.data ?? [])]] as const);
  return new Map([...named, ['loss', [...(results.get('loss')?.data ?? [])]]]);
}

const image = (side: number): NdArray =>
  ndArray(
    [2, 4, side, side],
    Float64Array.from({ length: 8 * side * side }, (_, i) => Math.sin(1.7 * i)),
  );

const norms = (model: OnnxModel): number => model.graph.nodes.filter(({ op }) => op === 'BatchNormalization').length;
const trained = new Set(PARAMETERS);

describe('frozen batch norms folded into convolutions', () => {
  it.each<Shape>([
    { group: 1, stride: 1, side: 7 },
    { group: 1, stride: 2, side: 9 },
    { group: 4, stride: 1, side: 6 },
  ])('leave the loss and every gradient as they were: %o', (shape) => {
    const plain = network(shape);
    const folded = foldFrozenNorms(plain, { trained });
    expect(norms(folded)).toBe(0);
    const [before, after] = [plain, folded].map((model) => gradientsOf(model, image(shape.side)));
    for (const [name, values] of before ?? []) {
      const scale = Math.max(...values.map(Math.abs));
      expect(scale).toBeGreaterThan(0);
      const worst = Math.max(...values.map((value, i) => Math.abs(value - (after?.get(name)?.[i] ?? Number.NaN))));
      // The deviations are constants of single precision.
      expect(worst / scale, name).toBeLessThan(1e-6);
    }
  });

  it('stay where maps are smaller than kernels, or the weights stand still', () => {
    const small = { group: 1, stride: 1, side: 3 };
    expect(norms(foldFrozenNorms(network(small), { trained }))).toBe(1);
    const large = network({ ...small, side: 7 });
    expect(norms(foldFrozenNorms(large, { trained: new Set(['scale', 'shift', 'w2']) }))).toBe(1);
    expect(norms(foldFrozenNorms(large, { trained: new Set() }))).toBe(0);
  });

  it('stay where they normalise by the batch, or the convolution is read otherwise', () => {
    const model = network({ group: 1, stride: 1, side: 7 });
    expect(norms(foldFrozenNorms(model, { trained, batchNorms: new Set(['norm']) }))).toBe(1);
    expect(norms(foldFrozenNorms(model, { trained, read: ['conv'] }))).toBe(1);
  });
});
