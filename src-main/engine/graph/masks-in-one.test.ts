import { describe, expect, it } from 'vitest';
import { loadRuntime, openSession } from '../infer/runtime.ts';
import { GraphBuilder } from './builder.ts';
import { masksInOne } from './masks-in-one.ts';
import { ELEMENT, type OnnxModel } from './model.ts';
import { encodeModel } from './proto.ts';

/** y = the mask of x above a bound; and, where asked for, the comparison itself put to another use. */
function masked(bound: number, alsoNot = false): OnnxModel {
  const g = new GraphBuilder('mask');
  const x = g.input('x', [8]);
  const more = g.node('more', 'Greater', [x, g.floats('bound', [], Float32Array.of(bound))]);
  g.node('y', 'Cast', [more], { to: ELEMENT.float });
  if (alsoNot) g.node('z', 'Cast', [g.node('less', 'Not', [more])], { to: ELEMENT.float });
  g.output('y', [8]);
  if (alsoNot) g.output('z', [8]);
  return g.build();
}

async function run(model: OnnxModel, values: Float32Array): Promise<ArrayLike<number>> {
  const { Tensor } = await loadRuntime();
  const session = await openSession({ model: encodeModel(model), provider: 'cpu', threads: 1 });
  const results = await session.run({ x: new Tensor('float32', values, [values.length]) });
  await session.release();
  return Float32Array.from(results.y?.data as Float32Array);
}

const opsOf = ({ graph }: OnnxModel): readonly string[] => graph.nodes.map(({ op }) => op);

describe('masks in one operator', () => {
  it('are one where a number is positive, however small, and zero elsewhere', async () => {
    const [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    const values = Float32Array.of(low, -3e38, -1.2e-38, 0, 1.2e-38, 0.7, 3e38, high);
    const one = masksInOne(masked(0));
    expect(opsOf(one)).toEqual(['HardSigmoid']);
    expect(await run(one, values)).toEqual(await run(masked(0), values));
    expect(await run(one, values)).toEqual(Float32Array.of(0, 0, 0, 0, 1, 1, 1, 1));
  });

  it('are left where the bound is another one, or the comparison has another use', () => {
    expect(opsOf(masksInOne(masked(0.5)))).toEqual(['Greater', 'Cast']);
    expect(opsOf(masksInOne(masked(0, true)))).toEqual(['Greater', 'Cast', 'Not', 'Cast']);
  });
});
