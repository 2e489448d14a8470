import { describe, expect, it } from 'vitest';
import { loadRuntime } from '../../infer/runtime.ts';
import { blockLayout } from '../blocked/block-layout.ts';
import { GraphBuilder } from '../builder.ts';
import { evaluate } from '../evaluate/evaluate.ts';
import { ndArray, reader } from '../evaluate/nd-array.ts';
import type { OnnxModel } from '../model.ts';
import { encodeModel } from '../proto.ts';
import type { Window } from './shapes.ts';
import { Tape } from './tape.ts';
import { weightGradient } from './weight-gradient.ts';
import { weightGradientsByTap } from './weight-gradient-by-tap.ts';

interface Layer {
  /** Images, channels, height, width. */
  readonly image: readonly [number, number, number, number];
  readonly outChannels: number;
  readonly window: Window;
}

const layer = (image: Layer['image'], outChannels: number, window: Partial<Window>): Layer => ({
  ...{ image, outChannels },
  window: { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], group: 1, ...window },
});

const LAYERS: Readonly<Record<string, Layer>> = {
  'same size': layer([2, 4, 5, 6], 3, {}),
  'no padding': layer([2, 3, 5, 5], 2, { pads: [0, 0, 0, 0] }),
  'stride that leaves a column over': layer([2, 4, 6, 8], 5, { strides: [2, 2] }),
  'stride that leaves two rows over': layer([1, 2, 8, 7], 3, { strides: [3, 2], pads: [0, 0, 0, 0] }),
  'wide stem': layer([2, 3, 11, 12], 4, { kernel: [7, 7], strides: [2, 2], pads: [3, 3, 3, 3] }),
  'uneven padding': layer([2, 2, 5, 4], 3, { pads: [0, 2, 2, 1], kernel: [2, 3] }),
  dilation: layer([2, 3, 9, 10], 2, { dilations: [2, 3], pads: [2, 3, 1, 3] }),
  'dilation and stride': layer([1, 2, 11, 11], 2, { dilations: [2, 2], strides: [2, 3], pads: [2, 1, 2, 2] }),
  groups: layer([2, 6, 5, 5], 4, { group: 2, strides: [1, 2] }),
  depthwise: layer([3, 5, 6, 6], 5, { group: 5, strides: [2, 2] }),
  'depthwise, two of each': layer([2, 3, 4, 5], 6, { group: 3 }),
  'depthwise, more than are taken together': layer([2, 16, 5, 4], 16, { group: 16 }),
  'groups too wide to be taken together': layer([2, 12, 4, 5], 6, { group: 3 }),
  pointwise: layer([2, 3, 4, 5], 6, { kernel: [1, 1], pads: [0, 0, 0, 0] }),
  'pointwise stride': layer([2, 3, 4, 5], 6, { kernel: [1, 1], pads: [0, 0, 0, 0], strides: [2, 2] }),
  'pointwise on padding': layer([2, 3, 4, 5], 2, { kernel: [1, 1], pads: [1, 0, 2, 1], strides: [2, 1] }),
  'pointwise groups': layer([2, 4, 4, 5], 6, { kernel: [1, 1], pads: [0, 0, 0, 0], group: 2 }),
  'one row of places': layer([2, 4, 1, 6], 3, { kernel: [1, 3], pads: [0, 1, 0, 1] }),
};

const values = (k: number, dims: readonly number[]) =>
  ndArray(
    dims,
    Float32Array.from({ length: dims.reduce((p, d) => p * d, 1) }, (_, i) => Math.sin(1.7 * i + 0.3 * k)),
  );

function outSizes({ image: [, , height, width], window }: Layer): readonly [number, number] {
  const along = (axis: 0 | 1, size: number): number => {
    const pads = (window.pads[axis] ?? 0) + (window.pads[axis + 2] ?? 0);
    const reach = ((window.kernel[axis] ?? 1) - 1) * (window.dilations[axis] ?? 1);
    return Math.floor((size + pads - reach - 1) / (window.strides[axis] ?? 1)) + 1;
  };
  return [along(0, height), along(1, width)];
}

/** dW [O, C / group, kernel] by its definition: what every weight is multiplied with in the convolution, times dy. */
function byDefinition({ image, outChannels, window }: Layer): Float64Array {
  const [n, channels, height, width] = image;
  const sizes = outSizes({ image, outChannels, window });
  const x = reader(values(0, image));
  const dy = reader(values(1, [n, outChannels, ...sizes]));
  const [perGroup, outPerGroup] = [channels / window.group, outChannels / window.group];
  const [kernelHeight = 1, kernelWidth = 1] = window.kernel;
  const dw = new Float64Array(outChannels * perGroup * kernelHeight * kernelWidth);
  for (let at = 0; at < dw.length; at++) {
    const [j, i] = [at % kernelWidth, Math.floor(at / kernelWidth) % kernelHeight];
    const c = Math.floor(at / (kernelWidth * kernelHeight)) % perGroup;
    const o = Math.floor(at / (kernelWidth * kernelHeight * perGroup));
    const channel = Math.floor(o / outPerGroup) * perGroup + c;
    for (let place = 0; place < n * sizes[0] * sizes[1]; place++) {
      const [v, u, b] = [
        place % sizes[1],
        Math.floor(place / sizes[1]) % sizes[0],
        Math.floor(place / sizes[1] / sizes[0]),
      ];
      const row = u * (window.strides[0] ?? 1) + i * (window.dilations[0] ?? 1) - (window.pads[0] ?? 0);
      const column = v * (window.strides[1] ?? 1) + j * (window.dilations[1] ?? 1) - (window.pads[1] ?? 0);
      if (row < 0 || column < 0 || row >= height || column >= width) continue;
      dw[at] = (dw[at] ?? 0) + dy([b, o, u, v]) * x([b, channel, row, column]);
    }
  }
  return dw;
}

/** @param batch the number of images, or a symbol for it. */
function gradientGraph({ image, outChannels, window }: Layer, batch: number | string): OnnxModel {
  const [, channels, height, width] = image;
  const g = new GraphBuilder('gradient');
  const x = g.input('x', [batch, channels, height, width]);
  const dy = g.input('dy', [batch, outChannels, ...outSizes({ image, outChannels, window })]);
  const weight = g.input('weight', [outChannels, channels / window.group, ...window.kernel]);
  const tape = new Tape(g.build(), {});
  tape.rename(weightGradient(tape, x, weight, dy, window), 'dw');
  return tape.close(['dw']);
}

async function onRuntime(model: OnnxModel, item: Layer): Promise<ArrayLike<number>> {
  const { InferenceSession, Tensor } = await loadRuntime();
  const session = await InferenceSession.create(encodeModel(model), { logSeverityLevel: 4 });
  const tensor = (k: number, dims: readonly number[]) =>
    new Tensor('float32', Float32Array.from(values(k, dims).data), dims);
  const dy = tensor(1, [item.image[0], item.outChannels, ...outSizes(item)]);
  const results = await session.run({ x: tensor(0, item.image), dy });
  await session.release();
  return results.dw?.data as Float32Array;
}

function relativeError(actual: ArrayLike<number>, expected: Float64Array): number {
  expect(actual.length).toBe(expected.length);
  return (
    Math.max(...expected.map((value, i) => Math.abs(value - Number(actual[i])))) / Math.max(...expected.map(Math.abs))
  );
}

describe('the weight gradient of a convolution', () => {
  it.each(Object.keys(LAYERS))('%s', async (name) => {
    const item = LAYERS[name] ?? layer([1, 1, 1, 1], 1, {});
    const expected = byDefinition(item);
    for (const batch of [item.image[0], 'N']) {
      const model = gradientGraph(item, batch);
      const tapped = weightGradientsByTap(model);
      expect(tapped.graph.nodes.some(({ op }) => op === 'Conv')).toBe(false);
      expect(relativeError(await onRuntime(model, item), expected)).toBeLessThan(1e-5);
      expect(relativeError(await onRuntime(tapped, item), expected)).toBeLessThan(1e-5);
      const dy = values(1, [item.image[0], item.outChannels, ...outSizes(item)]);
      const exact = evaluate(model, { x: values(0, item.image), dy }).get('dw')?.data ?? [];
      expect(relativeError(exact, expected)).toBeLessThan(1e-12);
    }
  });

  it('is not brought into the blocked layout, which is slow for kernels as large as the image', () => {
    const model = gradientGraph(layer([16, 16, 5, 5], 16, {}), 16);
    expect(blockLayout(model, 16).graph.nodes).toEqual(model.graph.nodes);
  });

  it('leaves the convolutions of the network itself as they are', () => {
    const g = new GraphBuilder('network');
    const weight = g.input('weight', [4, 3, 3, 3]);
    g.node('out', 'Conv', [g.input('x', [2, 3, 5, 5]), weight], { pads: [1, 1, 1, 1] });
    const model = g.build();
    expect(weightGradientsByTap(model).graph.nodes).toEqual(model.graph.nodes);
  });
});
