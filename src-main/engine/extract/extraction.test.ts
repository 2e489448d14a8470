import { rmSync } from 'node:fs';
import { truncate } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import { mergeStore } from '../store/merge.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { temporaryFolder } from '../store/testing/samples.ts';
import { MACENKO_REFERENCE } from './stain/macenko.ts';
import { openSmallEngine, type SmallEngine, type SmallEngineOptions, smallRequest } from './testing/small-engine.ts';
import { writeStripedSlide } from './testing/striped-slide.ts';

let folder: string;
let opened: SmallEngine[];

beforeEach(async () => {
  folder = temporaryFolder();
  opened = [];
  for (const [i, name] of ['a', 'b', 'c'].entries()) await writeStripedSlide(`${folder}/${name}.tif`, 300 + 40 * i);
});
afterEach(async () => {
  for (const engine of opened) await engine.close();
  rmSync(folder, { recursive: true });
});

async function open(store: string, options: SmallEngineOptions = {}): Promise<SmallEngine> {
  const engine = await openSmallEngine(`${folder}/${store}`, options);
  opened.push(engine);
  return engine;
}

async function add(engine: SmallEngine, ...names: readonly string[]): Promise<readonly SlideId[]> {
  const ids: SlideId[] = [];
  for (const name of names) {
    const { id } = await engine.library.add(`${folder}/${name}.tif`);
    await engine.library.setMpp(id, 0.5);
    ids.push(id);
  }
  return ids;
}

/** Every run's features as bytes, by run id. */
async function featuresOf(store: Store): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const run of await store.listRuns(null)) {
    expect(run.state).toBe('done');
    found.set(run.id, Buffer.from((await store.readFeatures(run.id)).buffer));
  }
  return found;
}

describe('extracting an archive', () => {
  it('makes a job a slide, in order, with a run for every backbone and cut; again there is nothing to do', async () => {
    const engine = await open('store');
    const ids = await add(engine, 'b', 'a');
    const request = smallRequest(ids, engine.backbone);
    const { forecast, jobs } = await engine.extraction.start(request, engine.queue);
    expect(forecast.slides.map(({ slideId }) => slideId)).toEqual(ids);
    expect(forecast.bytesNeeded).toBeGreaterThan(0);
    const ended = await engine.idle();
    expect(ended.map(({ state, slideId }) => [state, slideId]).reverse()).toEqual(ids.map((id) => ['done', id]));
    expect(jobs).toHaveLength(2);
    expect(await featuresOf(engine.store)).toHaveProperty('size', 4);
    const stored = (await engine.store.usage()).reduce((sum, { featureBytes }) => sum + featureBytes, 0);
    expect(forecast.bytesNeeded / stored).toBeGreaterThan(1);
    const again = await engine.extraction.start(request, engine.queue);
    expect(again.forecast.bytesNeeded).toBe(0);
    expect(again.jobs.map(({ jobId }) => jobId)).toEqual([null, null]);
  });

  it('leaves out a slide that is damaged and goes on with the rest', async () => {
    const engine = await open('store');
    const ids = await add(engine, 'a', 'b', 'c');
    const { jobs } = await engine.extraction.start(smallRequest(ids, engine.backbone), engine.queue);
    // The file is cut short while the job waits for its turn.
    await truncate(`${folder}/b.tif`, 4000);
    const ended = await engine.idle();
    expect(jobs).toHaveLength(3);
    const states = ids.map((id) => ended.find(({ slideId }) => slideId === id));
    expect(states.map((job) => job?.state)).toEqual(['done', 'failed', 'done']);
    expect(states[1]?.error?.message).not.toBe('');
  });

  it('refuses before it begins where the disk cannot hold the features', async () => {
    const engine = await open('store', { bytesFree: 1000 });
    const request = smallRequest(await add(engine, 'a'), engine.backbone);
    await expect(engine.extraction.start(request, engine.queue)).rejects.toMatchObject({
      code: 'DiskFull',
      message: expect.stringMatching(/need about 0\.\d+ GB, but the disk of the store has 0\.000 GB/),
    });
    expect(engine.queue.list()).toEqual([]);
  });

  it('gives in two shards, merged, what one run gives', async () => {
    const whole = await open('whole');
    const all = await add(whole, 'a', 'b', 'c');
    await whole.extraction.start(smallRequest(all, whole.backbone), whole.queue);
    await whole.idle();
    const merged = await openStore({ folder: `${folder}/merged` });
    for (const [i, names] of [['a', 'c'], ['b']].entries()) {
      const shard = await open(`shard${i}`);
      const ids = await add(shard, ...names);
      await shard.extraction.start(smallRequest(ids, shard.backbone), shard.queue);
      await shard.idle();
      await mergeStore(merged, shard.store);
    }
    const found = await featuresOf(merged);
    await merged.close();
    expect(found.size).toBe(6);
    expect(found).toEqual(await featuresOf(whole.store));
  });

  it('goes on where it was paused', async () => {
    const engine = await open('store');
    const ids = await add(engine, 'c');
    const grid = { mpp: 0.5, tileUm: 40, strideUm: 6, minTissueFraction: 0.5 };
    const request = smallRequest(ids, engine.backbone, { grid });
    const { jobs } = await engine.extraction.start(request, engine.queue);
    const jobId = jobs[0]?.jobId;
    if (!jobId) throw new Error('no job');
    while ((await engine.store.listRuns(null)).every(({ tilesDone }) => tilesDone === 0)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await engine.queue.cancel(jobId);
    const paused = await engine.store.listRuns(null);
    expect(paused.map(({ state }) => state)).toEqual(['paused', 'paused']);
    expect(paused[0]?.tilesDone).toBeLessThan(paused[0]?.tileCount ?? 0);
    await engine.queue.resume(jobId);
    await engine.idle();
    for (const run of await engine.store.listRuns(null)) {
      expect(run).toMatchObject({ state: 'done', tilesDone: run.tileCount });
    }
  });

  it('keeps colours brought to a reference, and halves, apart from plain features, and drops what it is told to', async () => {
    const engine = await open('store');
    const ids = await add(engine, 'a');
    const targets = [{ backboneId: engine.backbone.id, cut: 'stem' }];
    for (const change of [{}, { stain: MACENKO_REFERENCE }, { precision: 'float16' as const }]) {
      await engine.extraction.start(smallRequest(ids, engine.backbone, { targets, ...change }), engine.queue);
      await engine.idle();
    }
    const byKey = new Map(
      (await engine.store.listRuns(null)).map((run) => [
        `${run.provenance.normalisation.split(':')[0]} ${run.provenance.precision}`,
        run,
      ]),
    );
    const read = async (key: string): Promise<Float32Array> => {
      const run = byKey.get(key);
      return run === undefined ? new Float32Array(0) : await engine.store.readFeatures(run.id);
    };
    const [plain, stained, halves] = await Promise.all(
      ['none float32', 'macenko float32', 'none float16'].map((key) => read(key)),
    );
    expect(byKey.get('macenko float32')?.provenance.stain).toMatchObject({
      source: { method: 'macenko' },
      target: MACENKO_REFERENCE,
    });
    expect(stained).toHaveLength(plain?.length ?? 0);
    expect(stained).not.toEqual(plain);
    const worst = Array.from(plain ?? []).reduce((most, value, i) => {
      return Math.max(most, Math.abs(value - (halves?.[i] ?? 0)) / Math.max(1e-3, Math.abs(value)));
    }, 0);
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThan(2 ** -11);
    const [id] = ids;
    if (id === undefined) throw new Error('no slide');
    await engine.extraction.drop(id, engine.backbone.id, engine.queue);
    expect(await engine.store.usage()).toEqual([]);
  });
});
