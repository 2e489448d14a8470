import type { RandomStream } from '../../../backbone/random-stream.ts';
import { floatAttribute, GraphBuilder } from '../../builder.ts';
import { binaryCrossEntropy, crossEntropy } from '../../losses.ts';
import type { OnnxModel } from '../../model.ts';

export type CaseAttributes = Readonly<Record<string, number | readonly number[]>>;

/** One operator with attributes and input shapes; the golden script writes the same form. */
export interface GradientCase {
  readonly kind: string;
  readonly attributes: CaseAttributes;
  readonly shapes: readonly (readonly number[])[];
}

type Build = (g: GraphBuilder, inputs: readonly string[], attributes: CaseAttributes) => string;
type Draw = (stream: RandomStream) => Omit<GradientCase, 'kind'>;

const whole = (stream: RandomStream, low: number, high: number): number =>
  low + Math.floor(stream.nextUniform() * (high - low + 1));
const dims = (stream: RandomStream, rank: number, high = 4): number[] =>
  Array.from({ length: rank }, () => whole(stream, 1, high));
const num = (attributes: CaseAttributes, name: string): number => Number(attributes[name]);
const list = (attributes: CaseAttributes, name: string): readonly number[] => {
  const value = attributes[name];
  return typeof value === 'object' ? value : [];
};
const scalar = (g: GraphBuilder, name: string, value: number) => g.floats(name, [], Float32Array.of(value));

const one: Draw = (s) => ({ attributes: {}, shapes: [dims(s, whole(s, 1, 3), 5)] });
/** A shape and one that broadcasts against it. */
const two: Draw = (s) => {
  const shape = dims(s, whole(s, 1, 3));
  const other = shape.slice(whole(s, 0, shape.length - 1)).map((size) => (s.nextUniform() < 0.4 ? 1 : size));
  return { attributes: {}, shapes: s.nextUniform() < 0.5 ? [shape, other] : [other, shape] };
};
const withAxis: Draw = (s) => {
  const shape = dims(s, 3);
  return { attributes: { axis: whole(s, -3, 2) }, shapes: [shape] };
};
const reduceAxes: Draw = (s) => {
  const shape = dims(s, 3).map((size) => size + 1);
  const axes = [0, 1, 2].filter(() => s.nextUniform() < 0.5);
  return { attributes: { axes: axes.length === 0 ? [1] : axes, keepdims: whole(s, 0, 1) }, shapes: [shape] };
};
const unary =
  (op: string): Build =>
  (g, [a = '']) =>
    g.node('out', op, [a]);
const binary =
  (op: string): Build =>
  (g, [a = '', b = '']) =>
    g.node('out', op, [a, b]);
const along =
  (op: string): Build =>
  (g, [a = ''], { axis = 0 }) =>
    g.node('out', op, [a], { axis });
const reduce =
  (op: string): Build =>
  (g, [a = ''], { axes = [], keepdims = 1 }) =>
    op === 'ReduceSum'
      ? g.node('out', op, [a, g.ints('axes', typeof axes === 'object' ? axes : [])], { keepdims })
      : g.node('out', op, [a], { axes, keepdims });
const positive =
  (build: Build): Build =>
  (g, [a = ''], attributes) =>
    build(g, [g.node('positive', 'Exp', [a])], attributes);

const convolution: Draw = (s) => {
  const group = whole(s, 1, 3);
  const [kh, kw] = [whole(s, 1, 3), whole(s, 1, 3)];
  const [perGroup, outPerGroup] = [whole(s, 1, 2), whole(s, 1, 2)];
  const attributes = {
    strides: [whole(s, 1, 3), whole(s, 1, 3)],
    dilations: [whole(s, 1, 2), whole(s, 1, 2)],
    pads: [whole(s, 0, 2), whole(s, 0, 2), whole(s, 0, 2), whole(s, 0, 2)],
    group,
  };
  const image = [whole(s, 5, 8), whole(s, 5, 8)];
  const [n, out] = [whole(s, 1, 2), group * outPerGroup];
  return { attributes, shapes: [[n, group * perGroup, ...image], [out, perGroup, kh, kw], [out]] };
};
const pooling: Draw = (s) => {
  const kernel = [whole(s, 2, 3), whole(s, 2, 3)];
  const pads = [whole(s, 0, 1), whole(s, 0, 1), whole(s, 0, 1), whole(s, 0, 1)];
  const attributes = { kernel_shape: kernel, strides: [whole(s, 1, 3), whole(s, 1, 3)], pads, include: whole(s, 0, 1) };
  return { attributes, shapes: [[whole(s, 1, 2), whole(s, 1, 3), whole(s, 4, 7), whole(s, 4, 7)]] };
};
const normShapes = (s: RandomStream): number[] => [whole(s, 2, 3), whole(s, 1, 3), whole(s, 2, 4), whole(s, 2, 4)];

const KINDS: Readonly<Record<string, readonly [Draw, Build]>> = {
  add: [two, binary('Add')],
  sub: [two, binary('Sub')],
  mul: [two, binary('Mul')],
  div: [two, (g, [a = '', b = '']) => g.node('out', 'Div', [a, g.node('far', 'Add', [b, scalar(g, 'three', 3)])])],
  max: [two, binary('Max')],
  min: [two, binary('Min')],
  where: [two, (g, [a = '', b = '']) => g.node('out', 'Where', [g.node('more', 'Greater', [a, b]), a, b])],
  relu: [one, unary('Relu')],
  identity: [one, unary('Identity')],
  neg: [one, unary('Neg')],
  exp: [one, unary('Exp')],
  erf: [one, unary('Erf')],
  log: [one, positive((g, [a = '']) => g.node('out', 'Log', [g.node('more', 'Add', [a, scalar(g, 'one', 1)])]))],
  sqrt: [one, positive(unary('Sqrt'))],
  reciprocal: [one, (g, [a = '']) => g.node('out', 'Reciprocal', [g.node('far', 'Add', [a, scalar(g, 'three', 3)])])],
  pow: [
    (s) => ({ ...one(s), attributes: { exponent: whole(s, 2, 3) } }),
    (g, [a = ''], { exponent }) => g.node('out', 'Pow', [a, scalar(g, 'exponent', Number(exponent))]),
  ],
  leaky_relu: [one, (g, [a = '']) => g.node('out', 'LeakyRelu', [a], { alpha: floatAttribute(0.2) })],
  clip: [one, (g, [a = '']) => g.node('out', 'Clip', [a, scalar(g, 'low', -0.5), scalar(g, 'high', 0.6)])],
  abs: [one, unary('Abs')],
  gelu: [one, unary('Gelu')],
  gelu_tanh: [one, (g, [a = '']) => g.node('out', 'Gelu', [a], { approximate: 'tanh' })],
  tanh: [one, unary('Tanh')],
  sigmoid: [one, unary('Sigmoid')],
  softplus: [one, unary('Softplus')],
  softmax: [withAxis, along('Softmax')],
  log_softmax: [withAxis, along('LogSoftmax')],
  dropout: [one, (g, [a = '']) => g.node('out', 'Dropout', [a, scalar(g, 'ratio', 0.25), g.bools('training', [true])])],
  reduce_sum: [reduceAxes, reduce('ReduceSum')],
  reduce_mean: [reduceAxes, reduce('ReduceMean')],
  reduce_max: [reduceAxes, reduce('ReduceMax')],
  reduce_min: [reduceAxes, reduce('ReduceMin')],
  reduce_prod: [reduceAxes, reduce('ReduceProd')],
  reduce_l1: [reduceAxes, reduce('ReduceL1')],
  reduce_l2: [reduceAxes, reduce('ReduceL2')],
  reduce_sum_square: [reduceAxes, reduce('ReduceSumSquare')],
  reduce_log_sum: [reduceAxes, positive(reduce('ReduceLogSum'))],
  reduce_log_sum_exp: [reduceAxes, reduce('ReduceLogSumExp')],
  reduce_all: [
    (s) => ({ attributes: { keepdims: whole(s, 0, 1) }, shapes: [dims(s, whole(s, 1, 3))] }),
    (g, [a = ''], { keepdims = 1 }) => g.node('out', 'ReduceMean', [a], { keepdims }),
  ],
  matmul: [
    (s) => {
      const [m, k, n] = dims(s, 3);
      const batch = dims(s, whole(s, 0, 2), 3);
      const other = batch.slice(whole(s, 0, batch.length)).map((size) => (s.nextUniform() < 0.5 ? 1 : size));
      return {
        attributes: {},
        shapes: [
          [...batch, m ?? 1, k ?? 1],
          [...other, k ?? 1, n ?? 1],
        ],
      };
    },
    binary('MatMul'),
  ],
  gemm: [
    (s) => {
      const [m = 1, k = 1, n = 1] = dims(s, 3);
      const attributes = { transA: whole(s, 0, 1), transB: whole(s, 0, 1) };
      const a = attributes.transA === 1 ? [k, m] : [m, k];
      const b = attributes.transB === 1 ? [n, k] : [k, n];
      return { attributes, shapes: [a, b, s.nextUniform() < 0.5 ? [n] : [m, 1]] };
    },
    (g, inputs, { transA = 0, transB = 0 }) =>
      g.node('out', 'Gemm', inputs, { alpha: floatAttribute(0.5), beta: floatAttribute(1.5), transA, transB }),
  ],
  gemm_plain: [
    (s) => {
      const [m = 1, k = 1, n = 1] = dims(s, 3);
      const shapes = [
        [m, k],
        [k, n],
      ];
      return { attributes: {}, shapes };
    },
    (g, inputs) => g.node('out', 'Gemm', inputs),
  ],
  conv_plain: [
    (s) => {
      const { attributes, shapes } = convolution(s);
      return { attributes, shapes: shapes.slice(0, 2) };
    },
    (g, inputs, attributes) => g.node('out', 'Conv', inputs, attributes),
  ],
  conv: [convolution, (g, inputs, attributes) => g.node('out', 'Conv', inputs, attributes)],
  max_pool: [pooling, (g, [a = ''], { include: _, ...window }) => g.node('out', 'MaxPool', [a], window)],
  max_pool_ceil: [
    (s) => {
      const kernel = [whole(s, 2, 3), whole(s, 2, 3)];
      const pads = [whole(s, 0, 1), whole(s, 0, 1)];
      const strides = [whole(s, 1, 3), whole(s, 1, 3)];
      const attributes = { kernel_shape: kernel, strides, pads: [...pads, ...pads], dilations: [whole(s, 1, 2), 1] };
      return { attributes, shapes: [[whole(s, 1, 2), whole(s, 1, 3), whole(s, 5, 9), whole(s, 5, 9)]] };
    },
    (g, [a = ''], attributes) => g.node('out', 'MaxPool', [a], { ...attributes, ceil_mode: 1 }),
  ],
  average_pool: [
    pooling,
    (g, [a = ''], { include = 0, ...window }) =>
      g.node('out', 'AveragePool', [a], { ...window, count_include_pad: include }),
  ],
  global_average_pool: [(s) => ({ attributes: {}, shapes: [normShapes(s)] }), unary('GlobalAveragePool')],
  batch_norm_frozen: [
    (s) => {
      const shape = normShapes(s);
      const channels = [shape[1] ?? 1];
      return { attributes: {}, shapes: [shape, channels, channels] };
    },
    (g, inputs) => {
      const name = inputs[1] ?? '';
      const fixed = (label: string, add: number) =>
        g.node(label, 'Add', [g.node(`${label}_0`, 'Sub', [name, name]), scalar(g, `${label}_value`, add)]);
      return g.node('out', 'BatchNormalization', [...inputs, fixed('mean', 0.3), fixed('variance', 1.7)]);
    },
  ],
  batch_norm_training: [
    (s) => {
      const shape = normShapes(s);
      const channels = [shape[1] ?? 1];
      return { attributes: { channels: shape[1] ?? 1 }, shapes: [shape, channels, channels] };
    },
    (g, inputs, attributes) => {
      const count = num(attributes, 'channels');
      const running = ['running_mean', 'running_variance'].map((name, i) =>
        g.floats(name, [count], new Float32Array(count).fill(i)),
      );
      const scale = g.node('scale', 'Mul', [
        inputs[1] ?? '',
        g.floats('ones', [count], new Float32Array(count).fill(1)),
      ]);
      const norm = [inputs[0] ?? '', scale, inputs[2] ?? '', ...running];
      return g.node('out', 'BatchNormalization', norm, { training_mode: 1 });
    },
  ],
  instance_norm: [
    (s) => {
      const shape = normShapes(s);
      return { attributes: {}, shapes: [shape, [shape[1] ?? 1], [shape[1] ?? 1]] };
    },
    (g, inputs) => g.node('out', 'InstanceNormalization', inputs),
  ],
  layer_norm: [
    (s) => {
      const shape = dims(s, 3).map((size) => size + 1);
      const axis = whole(s, 1, 2);
      return { attributes: { axis }, shapes: [shape, shape.slice(axis), shape.slice(axis)] };
    },
    (g, inputs, { axis = -1 }) => g.node('out', 'LayerNormalization', inputs, { axis }),
  ],
  layer_norm_plain: [
    (s) => {
      const shape = dims(s, 3).map((size) => size + 1);
      return { attributes: {}, shapes: [shape, shape.slice(2)] };
    },
    (g, inputs) => g.node('out', 'LayerNormalization', inputs),
  ],
  concat: [
    (s) => {
      const shape = dims(s, 3);
      const axis = whole(s, 0, 2);
      return { attributes: { axis }, shapes: [shape, shape.with(axis, whole(s, 1, 4)), shape] };
    },
    (g, inputs, { axis = 0 }) => g.node('out', 'Concat', inputs, { axis }),
  ],
  split: [
    (s) => {
      const parts = [whole(s, 1, 3), whole(s, 1, 3)];
      const shape = dims(s, 3).with(1, (parts[0] ?? 1) + (parts[1] ?? 1));
      return { attributes: { parts }, shapes: [shape] };
    },
    (g, [a = ''], attributes) => {
      g.multi('split', 'Split', [a, g.ints('parts', list(attributes, 'parts'))], ['first', 'second'], { axis: 1 });
      return g.node('out', 'Mul', ['first', g.node('total', 'ReduceSum', ['second'], { keepdims: 0 })]);
    },
  ],
  slice: [
    (s) => {
      const shape = dims(s, 2, 7).map((size) => size + 3);
      const [rows = 4, columns = 4] = shape;
      const steps = [whole(s, 1, 3), -whole(s, 1, 3)];
      const starts = [whole(s, 0, 2) - (s.nextUniform() < 0.5 ? rows : 0), whole(s, columns - 2, columns - 1)];
      const ends = [rows + 5, s.nextUniform() < 0.5 ? -columns - 1 : whole(s, 0, columns - 3)];
      return { attributes: { starts, ends, steps }, shapes: [[...shape, whole(s, 1, 2)]] };
    },
    (g, [a = ''], attributes) => {
      const bounds = ['starts', 'ends'].map((name) => g.ints(name, list(attributes, name)));
      return g.node('out', 'Slice', [a, ...bounds, g.ints('axes', [0, 1]), g.ints('steps', list(attributes, 'steps'))]);
    },
  ],
  pad: [
    (s) => ({
      attributes: { pads: Array.from({ length: 6 }, () => whole(s, 0, 2)) },
      shapes: [dims(s, 3)],
    }),
    (g, [a = ''], attributes) => g.node('out', 'Pad', [a, g.ints('pads', list(attributes, 'pads'))]),
  ],
  expand: [
    (s) => {
      const shape = dims(s, 3);
      return { attributes: { shape }, shapes: [shape.slice(1).map((size) => (s.nextUniform() < 0.5 ? 1 : size))] };
    },
    (g, [a = ''], attributes) => g.node('out', 'Expand', [a, g.ints('shape', list(attributes, 'shape'))]),
  ],
  gather: [
    (s) => {
      const shape = dims(s, 3);
      const axis = whole(s, 0, 2);
      const places = Array.from({ length: whole(s, 1, 5) }, () => whole(s, 0, (shape[axis] ?? 1) - 1));
      return { attributes: { axis, places }, shapes: [shape] };
    },
    (g, [a = ''], attributes) =>
      g.node('out', 'Gather', [a, g.ints('places', list(attributes, 'places'))], { axis: num(attributes, 'axis') }),
  ],
  gather_one: [
    (s) => {
      const shape = dims(s, 3);
      const axis = whole(s, 0, 2);
      const size = shape[axis] ?? 1;
      return { attributes: { axis, place: whole(s, -size, size - 1) }, shapes: [shape] };
    },
    (g, [a = ''], { axis = 0, place }) => g.node('out', 'Gather', [a, g.ints('place', [Number(place)], [])], { axis }),
  ],
  flatten: [(s) => ({ attributes: { axis: whole(s, -3, 3) }, shapes: [dims(s, 3)] }), along('Flatten')],
  squeeze: [
    (s) => {
      const [a = 1, b = 1] = dims(s, 2);
      return { attributes: { axes: [0, -2] }, shapes: [[1, a, 1, b]] };
    },
    (g, [a = ''], attributes) => g.node('out', 'Squeeze', [a, g.ints('axes', list(attributes, 'axes'))]),
  ],
  unsqueeze: [
    (s) => ({ attributes: { axes: [whole(s, 0, 1), -1] }, shapes: [dims(s, 2)] }),
    (g, [a = ''], attributes) => g.node('out', 'Unsqueeze', [a, g.ints('axes', list(attributes, 'axes'))]),
  ],
  reshape: [
    (s) => {
      const shape = dims(s, 3);
      return { attributes: { shape: [shape[2] ?? 1, -1] }, shapes: [shape] };
    },
    (g, [a = ''], attributes) => g.node('out', 'Reshape', [a, g.ints('shape', list(attributes, 'shape'))]),
  ],
  transpose: [
    (s) => {
      const perm = [0, 1, 2, 3].sort(() => s.nextUniform() - 0.5);
      return { attributes: { perm }, shapes: [dims(s, 4, 3)] };
    },
    (g, [a = ''], attributes) => g.node('out', 'Transpose', [a], { perm: list(attributes, 'perm') }),
  ],
  cross_entropy: [
    (s) => {
      const shape = [whole(s, 1, 4), whole(s, 2, 5)];
      return { attributes: {}, shapes: [shape, shape] };
    },
    (g, [logits = '', raw = '']) => crossEntropy(g, 'out', logits, g.node('target', 'Softmax', [raw], { axis: 1 })),
  ],
  binary_cross_entropy: [
    (s) => {
      const shape = [whole(s, 1, 4), whole(s, 1, 5)];
      return { attributes: {}, shapes: [shape, shape] };
    },
    (g, [logits = '', raw = '']) => {
      const steep = g.node('steep', 'Mul', [logits, scalar(g, 'five', 5)]);
      return binaryCrossEntropy(g, 'out', steep, g.node('target', 'Sigmoid', [raw]));
    },
  ],
};

export const CASE_KINDS: readonly string[] = Object.keys(KINDS);

/** A case of a kind with a random shape and attributes. */
export function drawCase(kind: string, stream: RandomStream): GradientCase {
  const draw = KINDS[kind]?.[0];
  if (draw === undefined) throw new Error(`there is no case called ${kind}`);
  return { kind, ...draw(stream) };
}

/** The operator over inputs `i0`, `i1`, ...; its result is `out`. */
export function buildCase({ kind, attributes, shapes }: GradientCase): OnnxModel {
  const g = new GraphBuilder(kind);
  const inputs = shapes.map((shape, k) => g.input(`i${k}`, shape));
  KINDS[kind]?.[1](g, inputs, attributes);
  // Gelu as an operator exists since operator set 20.
  return kind.startsWith('gelu') ? { ...g.build(), irVersion: 9, opsets: { '': 20 } } : g.build();
}
