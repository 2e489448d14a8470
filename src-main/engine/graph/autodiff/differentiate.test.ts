import { describe, expect, it } from 'vitest';
import { loadRuntime } from '../../infer/runtime.ts';
import { floatAttribute, GraphBuilder } from '../builder.ts';
import { encodeModel } from '../proto.ts';
import golden from './differentiate.golden.json' with { type: 'json' };
import { differentiate } from './differentiate.ts';

type Build = (g: GraphBuilder, inputs: readonly string[]) => string;

const unary =
  (op: string, attributes: Record<string, number> = {}): Build =>
  (g, [a = '']) =>
    g.node('out', op, [a], attributes);
const binary =
  (op: string): Build =>
  (g, [a = '', b = '']) =>
    g.node('out', op, [a, b]);
const gemm =
  (transA: number, transB: number): Build =>
  (g, inputs) =>
    g.node('out', 'Gemm', inputs, { alpha: floatAttribute(0.5), transA, transB });
const conv =
  (stride: number, pad: number, dilation: number, group: number): Build =>
  (g, inputs) =>
    g.node('out', 'Conv', inputs, {
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      dilations: [dilation, dilation],
      group,
    });
const pool =
  (op: string, countPadding = 0): Build =>
  (g, [a = '']) =>
    g.node('out', op, [a], {
      kernel_shape: [3, 3],
      strides: [2, 2],
      pads: [1, 1, 1, 1],
      ...(op === 'AveragePool' ? { count_include_pad: countPadding } : {}),
    });
const scalar = (g: GraphBuilder, name: string, value: number) => g.floats(name, [], Float32Array.of(value));

const BUILDS: Readonly<Record<string, Build>> = {
  'add broadcast': binary('Add'),
  'sub broadcast': binary('Sub'),
  'mul broadcast': binary('Mul'),
  div: (g, [a = '', b = '']) => g.node('out', 'Div', [a, g.node('b3', 'Add', [b, scalar(g, 'three', 3)])]),
  relu: unary('Relu'),
  tanh: unary('Tanh'),
  sigmoid: unary('Sigmoid'),
  gelu: (g, [a = '']) => {
    const erf = g.node('erf', 'Erf', [g.node('scaled', 'Mul', [a, scalar(g, 'root', Math.SQRT1_2)])]);
    const one = g.node('plus', 'Add', [erf, scalar(g, 'one', 1)]);
    return g.node('out', 'Mul', [g.node('half', 'Mul', [a, scalar(g, 'h', 0.5)]), one]);
  },
  'softmax 0': unary('Softmax', { axis: 0 }),
  'log softmax': unary('LogSoftmax', { axis: 1 }),
  'exp log sqrt': (g, [a = '']) => {
    const plus = g.node('plus', 'Add', [g.node('exp', 'Exp', [a]), scalar(g, 'one', 1)]);
    return g.node('out', 'Log', [g.node('sqrt', 'Sqrt', [plus])]);
  },
  mean: (g, [a = '']) => g.node('out', 'ReduceMean', [a], { axes: [0, 2], keepdims: 0 }),
  'sum keep': (g, [a = '']) => g.node('out', 'ReduceSum', [a, g.ints('axes', [1])], { keepdims: 1 }),
  matmul: binary('MatMul'),
  'gemm 00': gemm(0, 0),
  'gemm 01': gemm(0, 1),
  'gemm 10': gemm(1, 0),
  'gemm 11': gemm(1, 1),
  'transpose reshape': (g, [a = '']) =>
    g.node('out', 'Reshape', [g.node('t', 'Transpose', [a], { perm: [2, 0, 1] }), g.ints('shape', [4, -1])]),
  'concat slice': (g, [a = '', b = '']) => {
    const joined = g.node('joined', 'Concat', [a, b], { axis: 1 });
    return g.node('out', 'Slice', [joined, g.ints('start', [1]), g.ints('end', [6]), g.ints('axis', [1])]);
  },
  'conv 3x3': conv(1, 1, 1, 1),
  'conv stride': conv(2, 1, 1, 1),
  'conv dilated': conv(1, 2, 2, 1),
  'conv groups': conv(1, 1, 1, 2),
  'conv depthwise': conv(2, 1, 1, 4),
  'conv 1x1 stride': conv(2, 0, 1, 1),
  'max pool': pool('MaxPool'),
  'average pool': pool('AveragePool'),
  'average pool padded': pool('AveragePool', 1),
  'global average': unary('GlobalAveragePool'),
  'batch norm': (g, [x = '', s = '', b = '', m = '', v = '']) => {
    const variance = g.node('var', 'Add', [g.node('abs', 'Abs', [v]), scalar(g, 'half', 0.5)]);
    return g.node('out', 'BatchNormalization', [x, s, b, m, variance]);
  },
  attention: (g, [h = '', w1 = '', b1 = '', w2 = '']) => {
    const hidden = g.node('tanh', 'Tanh', [g.node('z', 'Add', [g.node('hw', 'MatMul', [h, w1]), b1])]);
    const weights = g.node('a', 'Softmax', [g.node('scores', 'MatMul', [hidden, w2])], { axis: 0 });
    return g.node('out', 'MatMul', [g.node('at', 'Transpose', [weights], { perm: [1, 0] }), h]);
  },
};

/** The formula of the golden script. */
const values = (k: number, dims: readonly number[]): Float32Array =>
  Float32Array.from({ length: dims.reduce((p, d) => p * d, 1) }, (_, i) => Math.sin(1.7 * i + 0.3 * k));

async function gradientsOf(name: string, shapes: readonly (readonly number[])[]) {
  const runtime = await loadRuntime();
  const g = new GraphBuilder('case');
  const inputs = shapes.map((dims, k) => g.input(`i${k}`, dims));
  const out = BUILDS[name]?.(g, inputs) ?? '';
  const weight = g.input('weight', []);
  const loss = g.node('loss', 'ReduceSum', [g.node('weighted', 'Mul', [out, weight])], { keepdims: 0 });
  const plain = g.build();
  // The weights have the shape of the result, which a first run tells.
  const probe = { ...plain, graph: { ...plain.graph, outputs: [{ name: out, elementType: 1, dims: null }] } };
  const feeds = Object.fromEntries(
    inputs.map((input, k) => [input, new runtime.Tensor('float32', values(k, shapes[k] ?? []), shapes[k])]),
  );
  const one = new runtime.Tensor('float32', Float32Array.of(1), []);
  const probing = await runtime.InferenceSession.create(encodeModel(probe));
  const dims = (await probing.run({ ...feeds, weight: one }))[out]?.dims ?? [];
  await probing.release();
  const { tape, gradients } = differentiate(plain, loss, inputs, { weight: dims });
  const model = tape.close([...gradients.values()]);
  const weighted = model.graph.inputs.map((input) => (input.name === 'weight' ? { ...input, dims: [...dims] } : input));
  const graph = { ...model.graph, inputs: weighted };
  const session = await runtime.InferenceSession.create(encodeModel({ ...model, graph }));
  const results = await session.run({ ...feeds, weight: new runtime.Tensor('float32', values(9, dims), dims) });
  await session.release();
  return inputs.map((input) => results[gradients.get(input) ?? '']?.data ?? null);
}

describe('gradients agree with PyTorch', () => {
  it.each(golden.map(({ name }) => name))('%s', async (name) => {
    const expected = golden.find((item) => item.name === name);
    const actual = await gradientsOf(name, expected?.shapes ?? []);
    let compared = 0;
    for (const [k, reference] of (expected?.gradients ?? []).entries()) {
      if (reference === null) continue;
      const scale = Math.max(...reference.map(Math.abs), 1e-6);
      const worst = Math.max(...reference.map((value, i) => Math.abs(value - Number(actual[k]?.[i]))));
      expect(worst / scale, `input ${k}`).toBeLessThan(1e-4);
      compared++;
    }
    expect(compared).toBeGreaterThan(0);
  });

  it('covers every case of the golden file', () => {
    expect(golden.map(({ name }) => name).sort()).toEqual(Object.keys(BUILDS).sort());
  });
});

describe('differentiate', () => {
  it('names the operator that has no gradient', () => {
    const g = new GraphBuilder('case');
    const x = g.input('x', [2, 3]);
    const loss = g.node('loss', 'ReduceSum', [g.node('odd', 'ScatterElements', [x, x, x])], { keepdims: 0 });
    expect(() => differentiate(g.build(), loss, [x])).toThrow(/ScatterElements/);
  });

  it('gives no gradient to what the loss does not depend on, and refuses a loss of several numbers', () => {
    const g = new GraphBuilder('case');
    const [x, other] = [g.input('x', [2, 3]), g.input('other', [4])];
    const loss = g.node('loss', 'ReduceSum', [x], { keepdims: 0 });
    expect([...differentiate(g.build(), loss, [x, other]).gradients.keys()]).toEqual(['x']);
    expect(() => differentiate(g.build(), x, [x])).toThrow(/one number/);
  });
});
