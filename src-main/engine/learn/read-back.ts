import { GraphBuilder } from '../graph/builder.ts';
import type { StateTensor } from '../graph/optimise/training-step.ts';
import { encodeModel } from '../graph/proto.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { openSession } from '../infer/runtime.ts';
import type { MovingTensor } from './moving-tensor.ts';

/** Brings tensors that lie on a device back into the processor's memory: a graph that gives out what it takes. */
export async function readBack(
  provider: ProviderName,
  tensors: readonly { readonly item: StateTensor; readonly tensor: MovingTensor }[],
): Promise<void> {
  const away = tensors.filter(({ tensor }) => tensor.isOnDevice);
  if (away.length === 0) return;
  const g = new GraphBuilder('read back');
  for (const { item } of away) {
    g.output(g.node(`${item.input}/read`, 'Identity', [g.input(item.input, item.dims)]), item.dims);
  }
  const session = await openSession({ model: encodeModel(g.build()), provider, threads: 1 });
  try {
    const read = await session.run(Object.fromEntries(away.map(({ item, tensor }) => [item.input, tensor.current])));
    for (const { item, tensor } of away) tensor.set(read[`${item.input}/read`]?.data as Float32Array);
  } finally {
    await session.release();
  }
}
