import { type Window, windowOf, windowsAlong } from '../autodiff/shapes.ts';
import { type GraphNode, intAttribute, intsAttribute } from '../model.ts';
import { type NdArray, reader, tabulate } from './nd-array.ts';

/** Places of a two-dimensional image that one window sees; outside the image where it lies on the padding. */
function* places(window: Window, out: readonly [number, number]): Generator<readonly [number, number, number, number]> {
  const [kh = 1, kw = 1] = window.kernel;
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      const row = out[0] * (window.strides[0] ?? 1) + i * (window.dilations[0] ?? 1) - (window.pads[0] ?? 0);
      const column = out[1] * (window.strides[1] ?? 1) + j * (window.dilations[1] ?? 1) - (window.pads[1] ?? 0);
      yield [row, column, i, j];
    }
  }
}

const inside = (row: number, column: number, { dims }: NdArray): boolean =>
  row >= 0 && column >= 0 && row < (dims[2] ?? 0) && column < (dims[3] ?? 0);

function sizesAfter(node: GraphNode, window: Window, image: NdArray): number[] {
  return image.dims.slice(2).map((size, i) => windowsAlong(node, window, i, size));
}

/** Convolutions and pooling over N x C x H x W, as the ONNX operator specification defines them; null otherwise. */
export function windowed(node: GraphNode, inputs: readonly NdArray[]): readonly NdArray[] | null {
  const [x, weight, bias] = inputs;
  if (x === undefined) return null;
  if (node.op === 'Conv' && weight !== undefined) return [convolve(node, x, weight, bias)];
  if (node.op === 'ConvTranspose' && weight !== undefined) return [convolveTransposed(node, x, weight, bias)];
  if (node.op === 'MaxPool' || node.op === 'AveragePool') return pool(node, x);
  if (node.op === 'GlobalAveragePool') {
    const value = reader(x);
    const [n = 1, c = 1, h = 1, w = 1] = x.dims;
    const mean = tabulate([n, c, 1, 1], ([image = 0, channel = 0]) => {
      let sum = 0;
      for (let i = 0; i < h; i++) for (let j = 0; j < w; j++) sum += value([image, channel, i, j]);
      return sum / (h * w);
    });
    return [mean];
  }
  return null;
}

function convolve(node: GraphNode, x: NdArray, weight: NdArray, bias: NdArray | undefined): NdArray {
  const window = windowOf(node, weight.dims);
  const [value, tap] = [reader(x), reader(weight)];
  const [outChannels = 1, perGroup = 1] = weight.dims;
  const dims = [x.dims[0] ?? 1, outChannels, ...sizesAfter(node, window, x)];
  return tabulate(dims, ([n = 0, o = 0, i = 0, j = 0]) => {
    const group = Math.floor(o / (outChannels / window.group));
    let sum = bias?.data[o] ?? 0;
    for (const [row, column, ki, kj] of places(window, [i, j])) {
      if (!inside(row, column, x)) continue;
      for (let c = 0; c < perGroup; c++) sum += value([n, group * perGroup + c, row, column]) * tap([o, c, ki, kj]);
    }
    return sum;
  });
}

/** The adjoint of `convolve`: every input place adds its window of weights to the output. */
function convolveTransposed(node: GraphNode, x: NdArray, weight: NdArray, bias: NdArray | undefined): NdArray {
  const window = windowOf(node, weight.dims);
  const [inChannels = 1, perGroup = 1] = weight.dims;
  const extra = intsAttribute(node, 'output_padding') ?? [0, 0];
  const image = [0, 1].map((axis) => {
    const reach = (window.dilations[axis] ?? 1) * ((window.kernel[axis] ?? 1) - 1) + 1;
    const pads = (window.pads[axis] ?? 0) + (window.pads[axis + 2] ?? 0);
    return (window.strides[axis] ?? 1) * ((x.dims[axis + 2] ?? 1) - 1) + (extra[axis] ?? 0) + reach - pads;
  });
  const outChannels = perGroup * window.group;
  const out = tabulate([x.dims[0] ?? 1, outChannels, ...image], ([, o = 0]) => bias?.data[o] ?? 0);
  const [height = 1, width = 1] = image;
  const [value, tap] = [reader(x), reader(weight)];
  tabulate(x.dims, ([n = 0, c = 0, i = 0, j = 0]) => {
    const group = Math.floor(c / (inChannels / window.group));
    for (const [row, column, ki, kj] of places(window, [i, j])) {
      if (!inside(row, column, out)) continue;
      for (let o = 0; o < perGroup; o++) {
        const at = ((n * outChannels + group * perGroup + o) * height + row) * width + column;
        out.data[at] = (out.data[at] ?? 0) + value([n, c, i, j]) * tap([c, o, ki, kj]);
      }
    }
    return 0;
  });
  return out;
}

/** Values and, for maxima, their places in the flattened input. */
function pool(node: GraphNode, x: NdArray): readonly NdArray[] {
  const window = windowOf(node, null);
  const value = reader(x);
  const dims = [...x.dims.slice(0, 2), ...sizesAfter(node, window, x)];
  const [, channels = 1, height = 1, width = 1] = x.dims;
  if (node.op === 'AveragePool') {
    const counted = intAttribute(node, 'count_include_pad', 0) === 1;
    const mean = tabulate(dims, ([n = 0, c = 0, i = 0, j = 0]) => {
      const seen = [...places(window, [i, j])].filter(([row, column]) => inside(row, column, x));
      const total = seen.reduce((sum, [row, column]) => sum + value([n, c, row, column]), 0);
      return total / (counted ? window.kernel.reduce((p, size) => p * size, 1) : seen.length);
    });
    return [mean];
  }
  const best = tabulate(dims, ([n = 0, c = 0, i = 0, j = 0]) => {
    let [at, largest] = [0, -Infinity];
    for (const [row, column] of places(window, [i, j])) {
      if (!inside(row, column, x) || value([n, c, row, column]) <= largest) continue;
      largest = value([n, c, row, column]);
      at = ((n * channels + c) * height + row) * width + column;
    }
    return at;
  });
  return [{ dims, data: best.data.map((at) => x.data[at] ?? 0) }, best];
}
