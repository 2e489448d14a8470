import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import { backbonePath, prepareRandom } from '../backbone/registry.ts';
import { scratchFolder, testPixels } from '../slide/test-files.ts';
import { GraphCache, type GraphIdentity } from './graph-cache.ts';
import { InferenceWorker } from './inference-worker.ts';

const scratch = scratchFolder();
const backbones = join(scratch.path, 'backbones');
const folder = join(scratch.path, 'cache');
const graphs = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.graph'));

let worker: InferenceWorker;
let card: BackboneCard;
beforeAll(async () => {
  worker = new InferenceWorker(folder);
  card = await prepareRandom('squeezenet1_1', 5, backbones, worker);
});
afterAll(async () => {
  await worker.close();
  scratch.remove();
});

const COUNT = 3;

/** Opens the backbone at two cuts, runs three tiles and closes it. */
async function features(): Promise<{ fromCache: boolean; values: Float32Array }> {
  const { input, inputName } = card;
  const cuts = card.cuts.slice(-2);
  const modelPath = backbonePath(backbones, card.id);
  const opened = await worker.load({ modelPath, cuts, input, inputName, threads: 1, provider: 'cpu' });
  const bytes = input.widthPx * input.heightPx * 3;
  const pixels = new SharedArrayBuffer(COUNT * bytes);
  new Uint8Array(pixels).set(testPixels(input.widthPx, input.heightPx * COUNT));
  const dim = cuts.reduce((sum, { featureDim }) => sum + featureDim, 0);
  const output = new SharedArrayBuffer(COUNT * dim * 4);
  await worker.run({ session: opened.session, pixels, pixelOffset: 0, count: COUNT, output, outputOffset: 0 });
  await worker.release(opened.session);
  return { fromCache: opened.fromCache, values: new Float32Array(output) };
}

describe('an optimised graph', () => {
  it('is kept by the first session, and gives the next ones the same features to the last bit', async () => {
    const first = await features();
    const second = await features();
    expect([first.fromCache, second.fromCache, graphs().length]).toEqual([false, true, 1]);
    expect(new Set(first.values).size).toBeGreaterThan(500);
    expect(Buffer.from(second.values.buffer).equals(Buffer.from(first.values.buffer))).toBe(true);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it.each<[string, (path: string) => void]>([
    ['changed', (path) => flip(path)],
    ['cut short', (path) => writeFileSync(path, readFileSync(path).subarray(0, 1000))],
    ['longer', (path) => appendFileSync(path, 'x')],
    ['gone', (path) => rmSync(path)],
    ['without its record', (path) => rmSync(path.replace('.graph', '.json'))],
  ])('that is %s is made again', async (_, harm) => {
    const before = await features();
    harm(join(folder, graphs()[0] ?? ''));
    const after = await features();
    expect([after.fromCache, (await features()).fromCache]).toEqual([false, true]);
    expect(after.values).toEqual(before.values);
  });

  it('that the runtime does not take, although it is the one that was kept, is made again', async () => {
    const before = await features();
    const path = join(folder, graphs()[0] ?? '');
    const record = JSON.parse(readFileSync(path.replace('.graph', '.json'), 'utf8'));
    writeFileSync(path, 'no graph');
    writeFileSync(path.replace('.graph', '.json'), JSON.stringify({ ...record, graphCrc32: crc32('no graph') }));
    expect((await features()).values).toEqual(before.values);
    expect((await features()).fromCache).toBe(true);
  });

  it('of a file outside the store is not kept: it may change', async () => {
    const path = scratch.write('model.onnx', readFileSync(backbonePath(backbones, card.id)));
    const before = graphs().length;
    const { input, inputName, cuts } = card;
    const load = () => worker.load({ modelPath: path, cuts, input, inputName, threads: 1, provider: 'cpu' });
    for (const { session, fromCache } of [await load(), await load()]) {
      expect(fromCache).toBe(false);
      await worker.release(session);
    }
    expect(graphs().length).toBe(before);
  });

  it('does not stand in the way where the cache cannot be written', async () => {
    const blocked = new InferenceWorker(scratch.write('a-file', Buffer.from('x')));
    try {
      const { input, inputName, cuts } = card;
      const modelPath = backbonePath(backbones, card.id);
      const opened = await blocked.load({ modelPath, cuts, input, inputName, threads: 1, provider: 'cpu' });
      expect(opened.fromCache).toBe(false);
      await blocked.release(opened.session);
    } finally {
      await blocked.close();
    }
  });
});

describe('the cache', () => {
  const identity = (changes: Partial<GraphIdentity> = {}): GraphIdentity => ({
    ...{ modelSha256: 'a', cuts: [{ tensor: 't', pooling: 'cls' }], provider: 'cpu', level: 'all' },
    ...{ runtimeVersion: '1', machine: 'm' },
    ...changes,
  });
  let cache: GraphCache;
  let own = '';
  beforeEach(() => {
    own = join(scratch.path, `own-${Math.random()}`);
    cache = new GraphCache(own, 250);
  });
  const keep = (of: GraphIdentity, bytes = 100): Promise<void> =>
    cache.keep(of, null, async (path) => writeFileSync(path ?? '', Buffer.alloc(bytes, 7)));
  const has = async (of: GraphIdentity): Promise<boolean> => (await cache.read(of)) !== null;

  it('tells apart everything a graph depends on', async () => {
    await keep(identity());
    const others: readonly Partial<GraphIdentity>[] = [
      { modelSha256: 'b' },
      { cuts: [{ tensor: 't', pooling: 'mean-tokens' }] },
      { cuts: [{ tensor: 'u', pooling: 'cls' }] },
      { cuts: [] },
      { provider: 'cuda' },
      { level: 'basic' },
      { runtimeVersion: '2' },
      { machine: 'n' },
    ];
    expect(await has(identity())).toBe(true);
    for (const other of others) expect([other, await has(identity(other))]).toEqual([other, false]);
  });

  it('gives up the graphs used longest ago when it is full', async () => {
    await keep(identity({ modelSha256: 'a' }));
    await keep(identity({ modelSha256: 'b' }));
    for (const name of readdirSync(own)) {
      const path = join(own, name);
      utimesSync(path, new Date(1000), new Date(1000));
    }
    expect(await has(identity({ modelSha256: 'a' }))).toBe(true); // used now
    await keep(identity({ modelSha256: 'c' }));
    expect(await has(identity({ modelSha256: 'a' }))).toBe(true);
    expect(await has(identity({ modelSha256: 'b' }))).toBe(false);
    expect(await cache.usage()).toEqual({ graphs: 2, bytes: 200 });
  });

  it('drops what another version of the runtime made, and what a removed model left', async () => {
    await keep(identity({ runtimeVersion: '1' }));
    await keep(identity({ runtimeVersion: '2' }));
    expect(await has(identity({ runtimeVersion: '1' }))).toBe(false);
    await cache.forgetModel('a');
    expect(await cache.usage()).toEqual({ graphs: 0, bytes: 0 });
    expect(readdirSync(own)).toEqual([]);
  });

  it('holds nothing of a graph that was not written', async () => {
    await cache.keep(identity(), null, async () => undefined);
    expect(readdirSync(own)).toEqual([]);
    await expect(cache.keep(identity(), null, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(readdirSync(own)).toEqual([]);
  });
});

function flip(path: string): void {
  const bytes = readFileSync(path);
  const middle = statSync(path).size >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}
