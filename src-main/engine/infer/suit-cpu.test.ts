import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../graph/builder.ts';
import type { OnnxModel } from '../graph/model.ts';
import { encodeModel } from '../graph/proto.ts';
import { loadRuntime, openSession } from './runtime.ts';
import { relativeError } from './self-test.ts';
import { suitCpu } from './suit-cpu.ts';

const CHANNELS = 256;
const OUT = 24;

const noise = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((Math.imul(i + seed, 2654435761) >>> 8) / 2 ** 24) * 2 - 1);

interface Options {
  readonly kernel: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly pads?: readonly [number, number, number, number];
  readonly dilations?: readonly [number, number];
  readonly bias?: boolean;
}

/** One convolution of 256 maps, with ReLU. */
function convolution({ kernel, strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], bias }: Options): OnnxModel {
  const g = new GraphBuilder('convolution');
  const x = g.input('image', ['N', CHANNELS, 'H', 'W']);
  const w = g.floats('w', [OUT, CHANNELS, ...kernel], noise(OUT * CHANNELS * kernel[0] * kernel[1], 5));
  const b = bias ? [g.floats('b', [OUT], noise(OUT, 9))] : [];
  g.output(g.node('y', 'Relu', [g.node('conv', 'Conv', [x, w, ...b], { strides, pads, dilations })]), null);
  return g.build();
}

async function run(model: OnnxModel, name: string, dims: readonly number[]): Promise<Float32Array> {
  const { Tensor } = await loadRuntime();
  const session = await openSession({ model: encodeModel(model), provider: 'cpu', threads: 1 });
  const count = dims.reduce((product, dim) => product * dim, 1);
  const results = await session.run({ [name]: new Tensor('float32', noise(count, 1), [...dims]) });
  await session.release();
  const data = Object.values(results)[0]?.data;
  return data instanceof Float32Array ? data.slice() : new Float32Array();
}

const operators = (model: OnnxModel): string[] => model.graph.nodes.map(({ op }) => op);

describe('a network suited to the CPU', () => {
  it.each<[string, Options, string]>([
    ['3 x 3 on a small map', { kernel: [3, 3], pads: [1, 1, 1, 1] }, 'Gemm'],
    ['with bias and stride', { kernel: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2], bias: true }, 'Gemm'],
    ['lopsided', { kernel: [2, 3], pads: [0, 2, 1, 0], strides: [1, 2], dilations: [2, 1], bias: true }, 'Gemm'],
    ['1 x 1 with a stride', { kernel: [1, 1], strides: [2, 3], bias: true }, 'MaxPool'],
  ])('computes a convolution %s as before', async (_, options, operator) => {
    const model = convolution(options);
    const suited = suitCpu(model, 'image', [7, 6]);
    expect(operators(suited)).toContain(operator);
    const dims = [3, CHANNELS, 7, 6];
    const [wanted, got] = [await run(model, 'image', dims), await run(suited, 'image', dims)];
    expect(new Set(wanted).size).toBeGreaterThan(50);
    expect(relativeError(got, wanted)).toBeLessThan(1e-5);
  });

  it.each<[string, Options, readonly [number, number]]>([
    ['of a large map', { kernel: [3, 3], pads: [1, 1, 1, 1] }, [9, 9]],
    ['that is 1 x 1', { kernel: [1, 1] }, [7, 7]],
  ])('leaves a convolution %s alone', (_, options, size) => {
    const model = convolution(options);
    expect(suitCpu(model, 'image', size)).toBe(model);
  });

  it('computes an image the same to the last bit, whatever shares its batch', async () => {
    const suited = suitCpu(convolution({ kernel: [3, 3], pads: [1, 1, 1, 1] }), 'image', [7, 7]);
    const three = await run(suited, 'image', [3, CHANNELS, 7, 7]);
    const one = await run(suited, 'image', [1, CHANNELS, 7, 7]);
    expect(one).toEqual(three.subarray(0, one.length));
  });
});
