import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../graph/builder.ts';
import { encodeModel } from '../graph/proto.ts';
import { LoadedModel, tilesAtOnce } from './loaded-model.ts';
import type { LoadRequest } from './protocol.ts';
import { openSession, type Session } from './runtime.ts';

const SIDE = 8;
const request: LoadRequest = {
  ...{ modelPath: 'unused.onnx', inputName: 'image', threads: 1, provider: 'webgpu' },
  cuts: [{ name: 'f', tensor: 'f', pooling: 'none', featureDim: 3, cumulativeParameters: 0, cumulativeFlops: 0 }],
  input: {
    ...{ widthPx: SIDE, heightPx: SIDE, layout: 'NCHW', channelOrder: 'RGB', scale: 1 },
    ...{ mean: [0, 0, 0], std: [1, 1, 1] },
  },
};

/** A device that computes as the CPU does, but has room for `room` images; `batches` tells what it was asked. */
async function openOn(
  room: number,
  batches: number[],
  message = 'Failed to allocate memory for buffer',
  of: LoadRequest = request,
) {
  return await LoadedModel.open(of, async () => {
    const g = new GraphBuilder('mean');
    const pooled = g.node('gap', 'GlobalAveragePool', [g.input('image', ['N', 3, 'H', 'W'])]);
    g.output(g.node('hyaline.features0', 'Flatten', [pooled], { axis: 1 }), null);
    const session = await openSession({ model: encodeModel(g.build()), provider: 'cpu', threads: 1 });
    const run: Session['run'] = async (feeds: Parameters<Session['run']>[0]) => {
      const batch = Object.values(feeds)[0]?.dims[0] ?? 0;
      batches.push(batch);
      if (batch > room) throw new Error(message);
      return await session.run(feeds);
    };
    const limited: Session = Object.assign(Object.create(session), { run, release: () => session.release() });
    return { session: limited, weights: null, fixedBatch: null, fromCache: false };
  });
}

/** Mean red, green and blue of `count` different tiles. */
async function features(model: LoadedModel, count: number, side = SIDE): Promise<Float32Array> {
  const pixels = new SharedArrayBuffer(count * side * side * 3);
  new Uint8Array(pixels).forEach((_, i, bytes) => {
    bytes[i] = (i * 31 + Math.floor(i / 192) * 7) % 251;
  });
  const output = new SharedArrayBuffer(count * 3 * 4);
  await model.run({ session: 1, pixels, pixelOffset: 0, count, output, outputOffset: 0 });
  return new Float32Array(output);
}

describe('a device that runs out of memory', () => {
  it('gets half the tiles at a time until they fit, and remembers it; every feature is there', async () => {
    const [batches, ample] = [[] as number[], [] as number[]];
    const model = await openOn(5, batches);
    const wanted = await features(await openOn(100, ample), 16);
    expect(await features(model, 16)).toEqual(wanted);
    expect(ample).toEqual([16]);
    expect(batches).toEqual([16, 8, 4, 4, 4, 4]);
    batches.length = 0;
    await features(model, 16);
    expect(batches).toEqual([4, 4, 4, 4]);
    await model.release();
  });

  it('fails where not even one tile fits', async () => {
    const batches: number[] = [];
    await expect(features(await openOn(0, batches), 4)).rejects.toMatchObject({ code: 'DeviceFailed' });
    expect(batches).toEqual([4, 2, 1]);
  });

  it('is told from a device that is lost, which halving would not help', async () => {
    const batches: number[] = [];
    const lost = await openOn(2, batches, 'WebGPU device was lost');
    await expect(features(lost, 8)).rejects.toMatchObject({ code: 'DeviceFailed' });
    expect(batches).toEqual([8]);
  });
});

describe('on the CPU', () => {
  it('a few tiles go through at once, the same ones whatever came before, with the same features', async () => {
    const side = 224;
    const input = { ...request.input, widthPx: side, heightPx: side };
    const [few, all] = [[] as number[], [] as number[]];
    const onCpu = await openOn(100, few, '', { ...request, input, provider: 'cpu' });
    const elsewhere = await openOn(100, all, '', { ...request, input });
    for (const count of [10, 3]) {
      expect(await features(onCpu, count, side)).toEqual(await features(elsewhere, count, side));
    }
    expect([few, all]).toEqual([
      [4, 4, 2, 3],
      [10, 3],
    ]);
    await onCpu.release();
    await elsewhere.release();
  });

  it('a tile larger than all of them goes through alone', () => {
    expect(tilesAtOnce('cpu', { widthPx: 1024, heightPx: 1024 })).toBe(1);
    expect(tilesAtOnce('cuda', { widthPx: 1024, heightPx: 1024 })).toBe(Number.POSITIVE_INFINITY);
  });
});
