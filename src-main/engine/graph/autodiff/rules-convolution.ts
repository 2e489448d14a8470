import { type GraphNode, intAttribute } from '../model.ts';
import type { GradientRule } from './rules-elementwise.ts';
import { type Dims, imageOf, type Window, windowOf } from './shapes.ts';
import type { Tape } from './tape.ts';
import { weightGradient } from './weight-gradient.ts';

const x = (node: GraphNode, position = 0): string => node.inputs[position] ?? '';

/** The transposed convolution that maps a gradient back to an image of `size`. */
function transposedConvolution(tape: Tape, dy: string, weight: string, window: Window, image: Dims): string {
  const out = imageOf(tape.shape(dy));
  const axes = window.kernel.length;
  const outputPadding = imageOf(image).map((size, i) => {
    const reach = (window.dilations[i] ?? 1) * ((window.kernel[i] ?? 1) - 1) + 1;
    const pads = (window.pads[i] ?? 0) + (window.pads[i + axes] ?? 0);
    return size - (((out[i] ?? 1) - 1) * (window.strides[i] ?? 1) - pads + reach);
  });
  const attributes = {
    kernel_shape: window.kernel,
    strides: window.strides,
    dilations: window.dilations,
    pads: window.pads,
    group: window.group,
    output_padding: outputPadding,
  };
  return tape.emit('ConvTranspose', [dy, weight], attributes, image);
}

const conv: GradientRule = (tape, node, dy) => {
  const weight = x(node, 1);
  const window = windowOf(node, tape.shape(weight));
  if (window.kernel.length !== 2) throw new Error('only two-dimensional convolutions can be trained');
  return [
    imageGradient(tape, dy, weight, window, tape.shape(x(node))),
    weightGradient(tape, x(node), weight, dy, window),
    ...(node.inputs[2] ? [tape.sum(dy, [0, 2, 3], false)] : []),
  ];
};

/**
 * Where the window moves by one place, the gradient is an ordinary convolution with the kernel turned round, which
 * onnxruntime does faster than a transposed one; else a transposed convolution.
 */
function imageGradient(tape: Tape, dy: string, weight: string, window: Window, image: Dims): string {
  const { kernel, strides, dilations, pads, group } = window;
  const axes = kernel.length;
  const turned = pads.map((pad, i) => (dilations[i % axes] ?? 1) * ((kernel[i % axes] ?? 1) - 1) - pad);
  const plain = group === 1 && strides.every((stride) => stride === 1) && turned.every((pad) => pad >= 0);
  if (!plain) return transposedConvolution(tape, dy, weight, window, image);
  const bounds = [
    kernel.map(() => -1),
    kernel.map(() => -(2 ** 31)),
    kernel.map((_, i) => i + 2),
    kernel.map(() => -1),
  ];
  const pointwise = kernel.every((size) => size === 1);
  const flipped = pointwise ? weight : tape.emit('Slice', [weight, ...bounds.map((values) => tape.ints(values))]);
  const swapped = tape.emit('Transpose', [flipped], { perm: [1, 0, 2, 3] });
  const attributes = { kernel_shape: kernel, dilations, pads: turned, strides };
  return tape.emit('Conv', [dy, swapped], attributes, image);
}

/** Each maximum gets the gradient of its window; windows that overlap add up. */
const maxPool: GradientRule = (tape, node, dy) => {
  const input = x(node);
  const [, indices = ''] = tape.emitMany('MaxPool', [input], 2, node.attributes);
  const flat = tape.ints([-1]);
  const count = tape.emit('Reshape', [tape.emit('Size', [input], {}, []), flat], {}, [1]);
  const zeros = tape.emit('ConstantOfShape', [count], {}, ['all']);
  const added = tape.emit(
    'ScatterElements',
    [zeros, tape.emit('Reshape', [indices, flat], {}, ['places']), tape.emit('Reshape', [dy, flat], {}, ['places'])],
    { axis: 0, reduction: 'add' },
    ['all'],
  );
  return [tape.reshapeLike(added, input)];
};

/** Each place gets its share of every window that covers it. */
const averagePool: GradientRule = (tape, node, dy) => {
  if (intAttribute(node, 'ceil_mode', 0) === 1)
    throw new Error('the gradient of AveragePool with ceil_mode is not known');
  const image = tape.shape(x(node));
  const channels = Number(image[1]);
  const window = { ...windowOf(node, null), group: channels };
  const area = window.kernel.reduce((product, size) => product * size, 1);
  const weight = tape.floats([channels, 1, ...window.kernel], new Float32Array(channels * area).fill(1 / area));
  const padded = window.pads.some((pad) => pad > 0) && intAttribute(node, 'count_include_pad', 0) === 0;
  const share = padded ? tape.emit('Mul', [dy, coverage(tape, window, image, tape.shape(dy))]) : dy;
  return [transposedConvolution(tape, share, weight, window, image)];
};

/** Where padding is not counted: window area over the places of it that lie on the image, 1 x 1 x H x W. */
function coverage(tape: Tape, window: Window, image: Dims, out: Dims): string {
  const along = (axis: number): number[] => {
    const size = imageOf(image)[axis] ?? 1;
    const kernel = window.kernel[axis] ?? 1;
    return Array.from({ length: imageOf(out)[axis] ?? 1 }, (_, i) => {
      const start = i * (window.strides[axis] ?? 1) - (window.pads[axis] ?? 0);
      return kernel / (Math.min(size, start + kernel) - Math.max(0, start));
    });
  };
  const [rows, columns] = [along(0), along(1)];
  const values = Float32Array.from(rows.flatMap((row) => columns.map((column) => row * column)));
  return tape.floats([1, 1, rows.length, columns.length], values);
}

const globalAveragePool: GradientRule = (tape, node, dy) => {
  const places = imageOf(tape.shape(x(node))).reduce((product, size) => product * size, 1);
  return [tape.expandLike(tape.emit('Div', [dy, tape.scalar(places)]), x(node))];
};

export const CONVOLUTION_RULES: Readonly<Record<string, GradientRule>> = {
  Conv: conv,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
};
