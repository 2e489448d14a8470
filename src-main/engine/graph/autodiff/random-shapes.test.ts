import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../backbone/random-stream.ts';
import { loadRuntime } from '../../infer/runtime.ts';
import { evaluate } from '../evaluate/evaluate.ts';
import { type NdArray, ndArray } from '../evaluate/nd-array.ts';
import { ELEMENT, type OnnxModel } from '../model.ts';
import { encodeModel } from '../proto.ts';
import { measureBatchNorms } from './batch-norm-training.ts';
import { DIFFERENTIABLE, differentiate } from './differentiate.ts';
import { withDropoutMasks } from './dropout.ts';
import golden from './random-shapes.golden.json' with { type: 'json' };
import { buildCase, CASE_KINDS, drawCase, type GradientCase } from './testing/gradient-cases.ts';

const DRAWS = 3;
const PLACES = 5;

/** The formula of the golden script, rounded to what a float holds. */
const values = (k: number, dims: readonly number[]): NdArray =>
  ndArray(
    dims,
    Float32Array.from({ length: dims.reduce((p, d) => p * d, 1) }, (_, i) => Math.sin(1.7 * i + 0.3 * k)),
  );

interface Prepared {
  /** Loss = sum of the result times `weight`. */
  readonly plain: OnnxModel;
  readonly gradientModel: OnnxModel;
  readonly gradients: ReadonlyMap<string, string>;
  readonly feeds: Readonly<Record<string, NdArray>>;
  readonly inputs: readonly string[];
}

/** @param shift moves the formula's values away from the kinks that some start on (0 for Relu). */
function prepare(item: GradientCase, shift: number): Prepared {
  const built = withDropoutMasks(buildCase(item));
  const { model, batchNorms } = measureBatchNorms(built.model);
  const inputs = item.shapes.map((_, k) => `i${k}`);
  const data = Object.fromEntries(item.shapes.map((dims, k) => [`i${k}`, values(k + shift, dims)]));
  for (const { input, dims, ratio } of built.masks) {
    const mask = values(8, dims.map(Number));
    data[input] = ndArray(
      mask.dims,
      mask.data.map((value) => (value > 0 ? 1 / (1 - ratio) : 0)),
    );
  }
  const result = evaluate(model, data).get('out') ?? ndArray([], [0]);
  const weight = values(9, result.dims);
  const plain = weighted(model, weight.dims);
  const { tape, gradients } = differentiate(plain, 'loss', inputs, {}, { batchNorms });
  const gradientModel = tape.close(['loss', ...gradients.values()]);
  return { plain, gradientModel, gradients, feeds: { ...data, weight }, inputs };
}

function weighted(model: OnnxModel, dims: readonly number[]): OnnxModel {
  const node = (op: string, name: string, inputs: readonly string[]) => ({
    ...{ op, name, inputs, outputs: [name], domain: '' },
    attributes: op === 'ReduceSum' ? { keepdims: { kind: 'int', value: 0 } as const } : {},
  });
  const nodes = [
    ...model.graph.nodes,
    node('Mul', 'products', ['out', 'weight']),
    node('ReduceSum', 'loss', ['products']),
  ];
  const inputs = [...model.graph.inputs, { name: 'weight', elementType: ELEMENT.float, dims }];
  return { ...model, graph: { ...model.graph, nodes, inputs } };
}

const lossAt = ({ plain, feeds }: Prepared, input: string, data: Float64Array): number => {
  const dims = feeds[input]?.dims ?? [];
  return evaluate(plain, { ...feeds, [input]: { dims, data } }).get('loss')?.data[0] ?? Number.NaN;
};

/** (f(x + h d) - f(x - h d)) / 2h in double precision. */
function slope(prepared: Prepared, input: string, direction: Float64Array): number {
  const h = 1e-6;
  const x = prepared.feeds[input]?.data ?? new Float64Array();
  const moved = (sign: number) => x.map((value, i) => value + sign * h * (direction[i] ?? 0));
  return (lossAt(prepared, input, moved(1)) - lossAt(prepared, input, moved(-1))) / (2 * h);
}

/** A random direction, so that every element counts, and some elements alone. */
function directions(count: number, stream: RandomStream): Float64Array[] {
  const all = Float64Array.from({ length: count }, () => stream.nextNormal());
  const places = Array.from({ length: Math.min(PLACES, count) }, () => Math.floor(stream.nextUniform() * count));
  return [all, ...places.map((at) => Float64Array.from({ length: count }, (_, i) => Number(i === at)))];
}

async function onRuntime({ gradientModel, gradients, feeds }: Prepared): Promise<ReadonlyMap<string, Float32Array>> {
  const { InferenceSession, Tensor } = await loadRuntime();
  const session = await InferenceSession.create(encodeModel(gradientModel), { logSeverityLevel: 4 });
  const tensors = Object.entries(feeds)
    .filter(([name]) => session.inputNames.includes(name))
    .map(([name, { dims, data }]) => [name, new Tensor('float32', Float32Array.from(data), dims)] as const);
  const results = await session.run(Object.fromEntries(tensors));
  await session.release();
  return new Map([...gradients].map(([input, name]) => [input, results[name]?.data as Float32Array]));
}

function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const reference = Array.from(expected);
  const scale = Math.max(...reference.map(Math.abs), 1e-2);
  return Math.max(...reference.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN)))) / scale;
}

describe('gradients agree with central differences in double precision', () => {
  it.each(CASE_KINDS)('%s', (kind) => {
    const stream = new RandomStream(7, kind);
    for (let draw = 0; draw < DRAWS; draw++) {
      const item = drawCase(kind, stream);
      const prepared = prepare(item, 0.37);
      const results = evaluate(prepared.gradientModel, prepared.feeds);
      for (const [input, name] of prepared.gradients) {
        const gradient = results.get(name)?.data ?? new Float64Array();
        for (const direction of directions(gradient.length, stream)) {
          const expected = slope(prepared, input, direction);
          const actual = gradient.reduce((sum, value, i) => sum + value * (direction[i] ?? 0), 0);
          const wrong = Math.abs(actual - expected) / Math.max(1, Math.abs(expected));
          expect(wrong, `${input} of ${JSON.stringify(item)}`).toBeLessThan(2e-6);
        }
      }
      expect(prepared.gradients.size).toBeGreaterThan(0);
    }
  });
});

describe('the operators that have a gradient', () => {
  it('are all among the cases', () => {
    const stream = new RandomStream(1, 'operators');
    const used = CASE_KINDS.flatMap((kind) => buildCase(drawCase(kind, stream)).graph.nodes.map(({ op }) => op));
    expect(DIFFERENTIABLE.filter((op) => !used.includes(op))).toEqual([]);
  });
});

describe('gradients agree with PyTorch and between onnxruntime and double precision', () => {
  it.each(CASE_KINDS)('%s', async (kind) => {
    const cases = golden.filter((item) => item.kind === kind);
    expect(cases.length).toBeGreaterThanOrEqual(2);
    for (const { gradients, ...item } of cases) {
      const prepared = prepare(item as unknown as GradientCase, 0);
      const fast = await onRuntime(prepared);
      const exact = evaluate(prepared.gradientModel, prepared.feeds);
      for (const [k, reference] of gradients.entries()) {
        if (reference === null) continue;
        const name = prepared.gradients.get(`i${k}`) ?? '';
        const what = `input ${k} of ${JSON.stringify(item)}`;
        expect(relativeError(exact.get(name)?.data ?? [], reference), what).toBeLessThan(1e-6);
        expect(relativeError(fast.get(`i${k}`) ?? [], reference), what).toBeLessThan(1e-4);
      }
    }
  });

  it('covers every kind of the golden file', () => {
    expect([...new Set(golden.map(({ kind }) => kind))].sort()).toEqual([...CASE_KINDS].sort());
  });
});
