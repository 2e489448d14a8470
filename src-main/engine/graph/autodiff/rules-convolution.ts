import { type GraphNode, intAttribute } from '../model.ts';
import type { GradientRule } from './rules-elementwise.ts';
import { type Dims, type Window, windowOf } from './shapes.ts';
import type { Tape } from './tape.ts';

const x = (node: GraphNode, position = 0): string => node.inputs[position] ?? '';

/** Image axes of an N, C, ... shape as numbers; the shape rules have made sure that they are. */
const imageOf = (dims: Dims): number[] => dims.slice(2).map(Number);

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

/**
 * dX is a transposed convolution; dW is one matrix product per tap of the kernel, over all images and places at once
 * (the shifted image against the gradient), which onnxruntime runs at the speed of its matrix kernels; of few channels one
 * product over all taps.
 */
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

function weightGradient(tape: Tape, image: string, weight: string, dy: string, window: Window): string {
  const [outChannels = 1, inPerGroup = 1, ...kernel] = tape.shape(weight).map(Number);
  const { group } = window;
  const [height = 1, width = 1] = imageOf(tape.shape(dy));
  if (group === 1 && inPerGroup <= FEW_CHANNELS) return fewChannels(tape, image, weight, dy, window);
  const padded = paddedLast(tape, image, window);
  // [group, out / group, places]
  const rows = tape.emit('Reshape', [
    tape.emit('Transpose', [dy], { perm: [1, 0, 2, 3] }),
    tape.ints([group, outChannels / group, -1]),
  ]);
  const taps: string[] = [];
  for (let i = 0; i < (kernel[0] ?? 1); i++) {
    for (let j = 0; j < (kernel[1] ?? 1); j++) {
      const shifted = tap(tape, padded, window, [i, j], [height, width]);
      // [group, places, in / group]
      const flat = tape.emit('Reshape', [shifted, tape.ints([-1, group, inPerGroup])]);
      const columns =
        group === 1
          ? tape.emit('Reshape', [shifted, tape.ints([1, -1, inPerGroup])])
          : tape.emit('Transpose', [flat], { perm: [1, 0, 2] });
      const product = tape.emit('MatMul', [rows, columns]);
      taps.push(tape.emit('Reshape', [product, tape.ints([outChannels, inPerGroup, 1])]));
    }
  }
  const joined = taps.length === 1 ? (taps[0] ?? '') : tape.emit('Concat', taps, { axis: 2 });
  return tape.emit('Reshape', [joined, tape.ints([outChannels, inPerGroup, ...kernel])]);
}

/** The image with channels last and its border padded with zeros: N, H + pads, W + pads, C. */
function paddedLast(tape: Tape, image: string, window: Window): string {
  const last = tape.emit('Transpose', [image], { perm: [0, 2, 3, 1] });
  if (window.pads.every((pad) => pad === 0)) return last;
  const [top = 0, left = 0, bottom = 0, right = 0] = window.pads;
  return tape.emit('Pad', [last, tape.ints([0, top, left, 0, 0, bottom, right, 0]), tape.scalar(0)]);
}

/** Input channels up to which a product per tap would be too narrow for the matrix kernels: the images themselves. */
const FEW_CHANNELS = 8;

/** dW as one product over all taps and channels (im2col: Chellapilla et al., 2006), channels first. */
function fewChannels(tape: Tape, image: string, weight: string, dy: string, window: Window): string {
  const [outChannels = 1, channels = 1, kernelHeight = 1, kernelWidth = 1] = tape.shape(weight).map(Number);
  const [height = 1, width = 1] = imageOf(tape.shape(dy));
  const [top = 0, left = 0, bottom = 0, right = 0] = window.pads;
  const first = tape.emit('Transpose', [image], { perm: [1, 0, 2, 3] });
  const pads = tape.ints([0, 0, top, left, 0, 0, bottom, right]);
  const padded = window.pads.every((pad) => pad === 0) ? first : tape.emit('Pad', [first, pads, tape.scalar(0)]);
  const taps: string[] = [];
  for (let i = 0; i < kernelHeight; i++) {
    for (let j = 0; j < kernelWidth; j++) {
      const seen = tap(tape, padded, window, [i, j], [height, width], [2, 3]);
      taps.push(tape.emit('Reshape', [seen, tape.ints([channels, -1])]));
    }
  }
  const columns = taps.length === 1 ? (taps[0] ?? '') : tape.emit('Concat', taps, { axis: 0 });
  const last = tape.emit('Transpose', [dy], { perm: [0, 2, 3, 1] });
  const product = tape.emit('MatMul', [columns, tape.emit('Reshape', [last, tape.ints([-1, outChannels])])]);
  const byTap = tape.emit('Reshape', [product, tape.ints([kernelHeight * kernelWidth, channels, outChannels])]);
  const turned = tape.emit('Transpose', [byTap], { perm: [2, 1, 0] });
  return tape.emit('Reshape', [turned, tape.ints([outChannels, channels, kernelHeight, kernelWidth])]);
}

/** What one tap of the kernel sees of the padded image, place by place. */
function tap(
  tape: Tape,
  padded: string,
  window: Window,
  at: readonly [number, number],
  out: readonly [number, number],
  axes: readonly [number, number] = [1, 2],
): string {
  const [sh = 1, sw = 1] = window.strides;
  const starts = [at[0] * (window.dilations[0] ?? 1), at[1] * (window.dilations[1] ?? 1)];
  const ends = [(starts[0] ?? 0) + (out[0] - 1) * sh + 1, (starts[1] ?? 0) + (out[1] - 1) * sw + 1];
  return tape.emit('Slice', [padded, tape.ints(starts), tape.ints(ends), tape.ints(axes), tape.ints([sh, sw])]);
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
