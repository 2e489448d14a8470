import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../graph/builder.ts';
import type { Dimension } from '../graph/model.ts';
import { encodeModel } from '../graph/proto.ts';
import { loadRuntime, openSession } from '../infer/runtime.ts';
import type { Tensor } from './moving-tensor.ts';
import { runStep, stopsBeforeCopies, withoutCopies } from './run-in-place.ts';

/** y = 2 x and its sum. */
async function opened(size: Dimension = 3) {
  const g = new GraphBuilder('doubled');
  g.output(g.node('y', 'Add', [g.input('x', [size]), 'x']), [size]);
  g.output(g.node('sum', 'ReduceSum', ['y'], { keepdims: 0 }), []);
  const runtime = await loadRuntime();
  const session = await openSession({ model: encodeModel(withoutCopies(g.build())), provider: 'cpu', threads: 1 });
  const tensor = (...values: number[]) => new runtime.Tensor('float32', Float32Array.from(values), [values.length]);
  const run = (x: Tensor, y: Tensor | null) => runStep(runtime, session, { x }, { y });
  return { tensor, run, close: () => session.release() };
}

describe('a run that copies nothing', () => {
  it('is to be had with the onnxruntime that is installed', async () => {
    expect(await stopsBeforeCopies()).toBe(true);
  });

  it('writes where it is told to and gives that out, and finds a place for the rest', async () => {
    const { tensor, run, close } = await opened();
    const y = tensor(0, 0, 0);
    const results = await run(tensor(1, 2, 3), y);
    // The binding's own results are copies.
    expect(results.y).toBe(y);
    expect(y.data).toEqual(Float32Array.of(2, 4, 6));
    expect([results.sum?.dims, results.sum?.data]).toEqual([[], Float32Array.of(12)]);
    await close();
  });

  it('writes over what it reads, also numbers that are none', async () => {
    const { tensor, run, close } = await opened();
    const x = tensor(Number.NaN, Number.POSITIVE_INFINITY, 1);
    await run(x, x);
    expect(x.data).toEqual(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 2));
    await close();
  });

  it('gives out what is of a size that only the run tells', async () => {
    const { tensor, run, close } = await opened('N');
    const results = await run(tensor(1, 2, 3, 4), null);
    expect([results.y?.data, results.sum?.data]).toEqual([Float32Array.of(2, 4, 6, 8), Float32Array.of(20)]);
    await close();
  });

  it('fails as any other run does', async () => {
    const { tensor, run, close } = await opened();
    const y = tensor(0, 0, 0);
    await expect(run(tensor(1, 2), y)).rejects.toThrow(/invalid dimensions/i);
    expect(y.data).toEqual(Float32Array.of(0, 0, 0));
    await close();
  });
});
