import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../graph/builder.ts';
import { encodeModel } from '../graph/proto.ts';
import { loadRuntime, openSession, type Session } from '../infer/runtime.ts';
import type { Feeds } from './moving-tensor.ts';
import { runInPlace, withoutCopies } from './run-in-place.ts';

/** y = 2 x, three numbers. */
function doubled() {
  const g = new GraphBuilder('doubled');
  g.node('y', 'Add', [g.input('x', [3]), 'x']);
  g.output('y', [3]);
  return g.build();
}

const opened = () => openSession({ model: encodeModel(withoutCopies(doubled())), provider: 'cpu', threads: 1 });

async function tensor(...values: number[]) {
  const { Tensor } = await loadRuntime();
  return new Tensor('float32', Float32Array.from(values), [values.length]);
}

describe('a run that copies nothing', () => {
  it('writes where it is told to and gives that out', async () => {
    const session = await opened();
    const [x, y] = [await tensor(1, 2, 3), await tensor(0, 0, 0)];
    const results = await runInPlace(session, { x }, { y });
    // The binding's own results are copies; without one there is only what was given.
    expect(results.y).toBe(y);
    expect(y.data).toEqual(Float32Array.of(2, 4, 6));
    await session.release();
  });

  it('gives numbers that are none as they are', async () => {
    const session = await opened();
    const y = await tensor(0, 0, 0);
    await runInPlace(session, { x: await tensor(Number.NaN, Number.POSITIVE_INFINITY, 1) }, { y });
    expect(y.data).toEqual(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 2));
    await session.release();
  });

  it('writes over what it reads, where it is told to', async () => {
    const session = await opened();
    const x = await tensor(1, 2, 3);
    await runInPlace(session, { x }, { y: x });
    expect(x.data).toEqual(Float32Array.of(2, 4, 6));
    await session.release();
  });

  it('fails as any other run does', async () => {
    const session = await opened();
    const y = await tensor(0, 0, 0);
    await expect(runInPlace(session, { x: await tensor(1, 2) }, { y })).rejects.toThrow(/invalid dimensions/i);
    await session.release();
  });

  it('is repeated where the output that is no tensor was refused before anything was computed', async () => {
    const asked: (readonly string[])[] = [];
    const strict = {
      outputNames: ['no_tensor', 'y'],
      run: async (_: Feeds, outputs: Feeds) => {
        asked.push(Object.keys(outputs));
        if (Object.hasOwn(outputs, 'no_tensor')) throw new Error('Non tensor type is not supported.');
        (outputs.y as unknown as { data: Float32Array }).data.fill(7);
        return outputs;
      },
    } as unknown as Session;
    const y = await tensor(0, 0, 0);
    await runInPlace(strict, { x: await tensor(1, 2, 3) }, { y });
    expect(y.data).toEqual(Float32Array.of(7, 7, 7));
    expect(asked).toEqual([['y', 'no_tensor'], ['y']]);
  });
});
