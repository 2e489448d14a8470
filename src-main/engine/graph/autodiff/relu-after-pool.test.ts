import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../backbone/random-stream.ts';
import { loadRuntime, openSession } from '../../infer/runtime.ts';
import { GraphBuilder } from '../builder.ts';
import { elementCount, type OnnxModel } from '../model.ts';
import { encodeModel } from '../proto.ts';
import { differentiate } from './differentiate.ts';
import { reluAfterPool } from './relu-after-pool.ts';

const IMAGE = [2, 3, 9, 9];

/** A weighted sum of what comes out of a Relu and a MaxPool, and of the Relu itself where it is read twice. */
function pooled(twice = false): OnnxModel {
  const g = new GraphBuilder('pooled');
  const relu = g.node('relu', 'Relu', [g.input('x', IMAGE)]);
  const pool = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
  const weighted = g.node('weighted', 'Mul', [g.node('pool', 'MaxPool', [relu], pool), g.input('w', [2, 3, 5, 5])]);
  const sum = g.node('sum', 'ReduceSum', [weighted], { keepdims: 0 });
  g.node('loss', 'Add', [sum, twice ? g.node('more', 'ReduceSum', [relu], { keepdims: 0 }) : sum]);
  return g.build();
}

/** Loss and gradient of the image. */
async function results(model: OnnxModel, image: Float32Array): Promise<readonly (readonly number[])[]> {
  const { tape, gradients } = differentiate(model, 'loss', ['x']);
  const names = ['loss', ...gradients.values()];
  const session = await openSession({ model: encodeModel(tape.close(names)), provider: 'cpu', threads: 1 });
  const { Tensor } = await loadRuntime();
  const weights = Float32Array.from({ length: 150 }, (_, i) => Math.sin(i + 1));
  const found = await session.run({
    x: new Tensor('float32', image, IMAGE),
    w: new Tensor('float32', weights, [2, 3, 5, 5]),
  });
  await session.release();
  // Minus zero is zero.
  return names.map((name) => Array.from((found[name]?.data as Float32Array | undefined) ?? [], (value) => value + 0));
}

describe('a Relu before a MaxPool', () => {
  it('is moved behind it without changing a number, ties and windows without a positive place among them', async () => {
    const stream = new RandomStream(4, 'pool');
    // Few different values: most windows have their largest several times, a third of them none above zero.
    const image = Float32Array.from({ length: elementCount(IMAGE) }, (_, i) => {
      const value = Math.floor(4 * stream.nextUniform()) - 2;
      return i < 81 ? Math.min(value, 0) : value;
    });
    const moved = reluAfterPool(pooled(), ['loss']);
    expect(moved.graph.nodes.map(({ op }) => op).slice(0, 2)).toEqual(['MaxPool', 'Relu']);
    const [before, after] = [await results(pooled(), image), await results(moved, image)];
    expect(after).toEqual(before);
    expect(before[1]?.filter((value) => value !== 0).length).toBeGreaterThan(20);
  });

  it('stays where somebody else reads it', () => {
    expect(reluAfterPool(pooled(true), ['loss'])).toEqual(pooled(true));
    expect(reluAfterPool(pooled(), ['loss', 'relu'])).toEqual(pooled());
  });
});
