import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobId, RunId } from '../../../src-shared/model/ids.ts';
import { asId } from '../../../src-shared/model/ids.ts';
import type { Job } from '../../../src-shared/model/job.ts';
import { runIdOf } from './canonical.ts';
import { MIGRATIONS } from './migrations/all.ts';
import { openStore } from './open-store.ts';
import type { SlowCall } from './sqlite-store.ts';
import type { OpenedStore } from './store.ts';
import {
  featureValue,
  sampleBackbone,
  sampleChunk,
  sampleGrid,
  sampleMap,
  sampleRun,
  sampleSlide,
  storeSample,
  temporaryFolder,
} from './testing/samples.ts';

const unknownRun = asId<RunId>('0'.repeat(64));

function sampleJob(name: string, createdAtMs: number, slideId: Job['slideId'] = null): Job {
  return {
    id: asId<JobId>(name),
    kind: 'analyse',
    title: name,
    state: 'running',
    progress: { stage: 'Reading tiles', done: 1, total: 9, perSecond: null, secondsLeft: null },
    slideId,
    runId: null,
    error: null,
    createdAtMs,
    finishedAtMs: null,
    resumable: false,
  };
}

describe.each([
  { where: 'on its own thread', onThread: true },
  { where: 'on the calling thread', onThread: false },
])('the store $where', ({ onThread }) => {
  let folder: string;
  let store: OpenedStore;
  let slow: SlowCall[];

  const reopen = async (): Promise<void> => {
    await store.close();
    store = await openStore({ folder, onThread });
  };

  beforeEach(async () => {
    folder = temporaryFolder();
    slow = [];
    store = await openStore({ folder, onThread, slowMs: 0, onSlow: (call) => slow.push(call) });
  });

  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  it('remembers slides across a restart, the last opened first', async () => {
    const [a, b] = [sampleSlide('a', 1), sampleSlide('b', 2)];
    await store.putSlide(a);
    await store.putSlide(b);
    await store.putSlide({ ...a, path: '/elsewhere/a.svs', userMppUm: 0.25, openedAtMs: 3, isDemo: true });
    await reopen();
    expect(await store.listSlides()).toEqual([
      { ...a, path: '/elsewhere/a.svs', userMppUm: 0.25, openedAtMs: 3, isDemo: true },
      b,
    ]);
    expect(await store.getSlide(b.id)).toEqual(b);
    expect(await store.getSlide(asId('f'.repeat(64)))).toBeNull();
  });

  it('forgets a slide with everything derived from it, and nothing else', async () => {
    const gone = await storeSample(store, 'gone', 8, 4);
    const kept = await storeSample(store, 'kept', 8, 4);
    for (const run of [gone, kept]) {
      await store.appendFeatures(sampleChunk(run, 0, 8));
      await store.putMap(sampleMap(run, 1));
      await store.putJob({ job: sampleJob(`job of ${run.id}`, 1, run.slideId), payloadJson: '{}' });
    }
    await store.forgetSlide(gone.slideId);
    expect(await store.getSlide(gone.slideId)).toBeNull();
    expect(await store.getGrid(gone.provenance.gridId)).toBeNull();
    expect(await store.getRun(gone.id)).toBeNull();
    expect(await store.getMap(gone.id, sampleMap(gone, 1).description.spec)).toBeNull();
    await expect(store.readFeatures(gone.id)).rejects.toMatchObject({ code: 'NotFound' });
    expect((await store.listJobs()).map(({ job }) => job.slideId)).toEqual([kept.slideId]);
    expect((await store.readFeatures(kept.id)).length).toBe(32);
    expect((await store.usage()).map((use) => use.slideId)).toEqual([kept.slideId]);
    expect((await store.status()).featureBytes).toBe(8 * 4 * 4);
  });

  it('keeps the runs of a removed backbone', async () => {
    const run = await storeSample(store, 'a', 4, 2);
    const record = sampleBackbone('random');
    expect(await store.getBackbone(record.card.id)).toEqual(record);
    await store.putBackbone({ ...record, card: { ...record.card, licence: 'MIT' } });
    expect((await store.listBackbones()).map(({ card }) => card.licence)).toEqual(['MIT']);
    await store.removeBackbone(record.card.id);
    expect(await store.listBackbones()).toEqual([]);
    expect((await store.getRun(run.id))?.backboneName).toBe('random');
  });

  it('gives a grid back as it was laid', async () => {
    const slide = sampleSlide('a');
    await store.putSlide(slide);
    const laid = sampleGrid(slide.id, 1000);
    await store.putGrid(laid);
    await store.putGrid(laid);
    await reopen();
    expect(await store.getGrid(laid.grid.id)).toEqual(laid);
    await expect(store.putGrid(sampleGrid(asId('e'.repeat(64)), 3))).rejects.toMatchObject({ code: 'NotFound' });
    await expect(store.putGrid({ ...laid, rows: laid.rows.slice(1) })).rejects.toMatchObject({
      code: 'InvalidRequest',
    });
  });

  it('finds a run by what makes it the same and refuses a second one', async () => {
    const run = await storeSample(store, 'a', 4, 2);
    expect(await store.findRun(run.provenance)).toEqual(run);
    expect(await store.findRun({ ...run.provenance, cut: 'layer3' })).toBeNull();
    await expect(store.createRun(run)).rejects.toMatchObject({ code: 'InvalidRequest' });
    const laid = sampleGrid(run.slideId, 4);
    const cut = sampleRun(laid, sampleBackbone('random'), 2, 'layer3', 99);
    await store.createRun(cut);
    expect((await store.listRuns(run.slideId)).map(({ id }) => id)).toEqual([cut.id, run.id]);
    expect(await store.listRuns(asId('d'.repeat(64)))).toEqual([]);
    const changed = await store.updateRun(run.id, { state: 'done', secondsSpent: 2.5, finishedAtMs: 77 });
    expect(changed).toEqual({ ...run, state: 'done', secondsSpent: 2.5, finishedAtMs: 77 });
    expect(await store.getRun(run.id)).toEqual(changed);
    await expect(store.updateRun(unknownRun, { state: 'done' })).rejects.toMatchObject({ code: 'NotFound' });
    const elsewhere = sampleRun(sampleGrid(asId('c'.repeat(64)), 4), sampleBackbone('random'), 2);
    await expect(store.createRun(elsewhere)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('gives an extraction the same id whatever the order of its fields', () => {
    const { provenance } = sampleRun(sampleGrid(asId('a'.repeat(64)), 4), sampleBackbone('x'), 2);
    const { slideId, gridId, backboneId, cut, normalisation, precision } = provenance;
    expect(runIdOf({ precision, normalisation, cut, backboneId, gridId, slideId })).toBe(runIdOf(provenance));
    expect(runIdOf({ ...provenance, cut: 'other' })).not.toBe(runIdOf(provenance));
  });

  it('reads back the features that were appended, whole and in ranges', async () => {
    const run = await storeSample(store, 'a', 100, 3);
    expect((await store.readFeatures(run.id)).length).toBe(0);
    for (const [firstTile, count] of [
      [0, 16],
      [16, 16],
      [32, 5],
      [37, 63],
    ] as const) {
      expect(await store.nextTile(run.id)).toBe(firstTile);
      expect(await store.appendFeatures(sampleChunk(run, firstTile, count))).toBe(firstTile + count);
    }
    await reopen();
    const all = await store.readFeatures(run.id);
    expect(all).toEqual(new Float32Array(sampleChunk(run, 0, 100).values));
    for (const [firstTile, tileCount] of [
      [0, 100],
      [0, 1],
      [15, 2],
      [16, 16],
      [33, 50],
      [99, 1],
      [100, 0],
    ] as const) {
      const part = await store.readFeatures(run.id, { firstTile, tileCount });
      expect(Array.from(part)).toEqual(Array.from(all.subarray(firstTile * 3, (firstTile + tileCount) * 3)));
    }
    expect((await store.getRun(run.id))?.tilesDone).toBe(100);
    await expect(store.readFeatures(run.id, { firstTile: 99, tileCount: 2 })).rejects.toMatchObject({
      code: 'InvalidRequest',
    });
  });

  it('copies a chunk before the call returns', async () => {
    const run = await storeSample(store, 'a', 4, 2);
    const chunk = sampleChunk(run, 0, 4);
    const shared = new Float32Array(new SharedArrayBuffer(chunk.values.byteLength));
    shared.set(chunk.values);
    const stored = store.appendFeatures({ ...chunk, values: shared });
    shared.fill(-1);
    await stored;
    expect((await store.readFeatures(run.id))[7]).toBe(featureValue(3, 1));
  });

  it('refuses a chunk that does not continue the run and leaves the run as it was', async () => {
    const run = await storeSample(store, 'a', 10, 2);
    await store.appendFeatures(sampleChunk(run, 0, 4));
    const good = sampleChunk(run, 4, 4);
    for (const bad of [
      sampleChunk(run, 0, 4),
      sampleChunk(run, 5, 4),
      sampleChunk(run, 4, 7),
      { ...good, dim: 4, tileCount: 2 },
      { ...good, values: good.values.subarray(1) },
      { ...good, tileCount: 0, values: new Float32Array(0) },
    ]) {
      await expect(store.appendFeatures(bad)).rejects.toMatchObject({ code: 'InvalidRequest' });
    }
    await expect(store.appendFeatures({ ...good, runId: unknownRun })).rejects.toMatchObject({ code: 'NotFound' });
    expect(await store.nextTile(run.id)).toBe(4);
    expect(await store.appendFeatures(good)).toBe(8);
  });

  it('caches maps by content of their specification and drops them when the features change', async () => {
    const run = await storeSample(store, 'a', 8, 2);
    await store.appendFeatures(sampleChunk(run, 0, 4));
    const map = sampleMap(run, 1);
    await store.putMap(map);
    await store.putMap(sampleMap(run, 2));
    await store.putMap(map);
    expect(await store.getMap(run.id, { seed: 1, k: 3, kind: 'clusters' })).toEqual(map);
    expect(await store.getMap(run.id, { seed: 3, k: 3, kind: 'clusters' })).toBeNull();
    expect((await store.listMaps(run.id)).map(({ spec }) => spec)).toEqual([
      map.description.spec,
      sampleMap(run, 2).description.spec,
    ]);
    await store.appendFeatures(sampleChunk(run, 4, 4));
    expect(await store.listMaps(run.id)).toEqual([]);
    await expect(
      store.putMap({ ...map, description: { ...map.description, runId: unknownRun } }),
    ).rejects.toMatchObject({
      code: 'NotFound',
    });
  });

  it('keeps jobs and settings', async () => {
    const [a, b] = [sampleJob('a', 1), sampleJob('b', 2)];
    await store.putJob({ job: a, payloadJson: '{"x":1}' });
    await store.putJob({ job: b, payloadJson: '{}' });
    await store.putJob({ job: { ...a, state: 'done' }, payloadJson: '{"x":2}' });
    await store.setSetting('theme', 'dark');
    await store.setSetting('theme', 'light');
    await reopen();
    expect(await store.listJobs()).toEqual([
      { job: b, payloadJson: '{}' },
      { job: { ...a, state: 'done' }, payloadJson: '{"x":2}' },
    ]);
    await store.removeJob(b.id);
    expect(await store.getJob(b.id)).toBeNull();
    expect(await store.getSetting('theme')).toBe('light');
    expect(await store.getSetting('other')).toBeNull();
  });

  it('says what the results take, by slide and backbone, and gives the space back', async () => {
    const large = await storeSample(store, 'large', 2000, 64);
    const small = await storeSample(store, 'small', 10, 64);
    await store.appendFeatures(sampleChunk(large, 0, 2000));
    await store.appendFeatures(sampleChunk(small, 0, 10));
    await store.putMap(sampleMap(small, 1));
    expect(await store.usage()).toMatchObject([
      {
        slideName: 'large.svs',
        backboneName: 'random',
        runCount: 1,
        tileCount: 2000,
        featureBytes: 512_000,
        mapBytes: 0,
      },
      { slideName: 'small.svs', runCount: 1, tileCount: 10, featureBytes: 2560, mapBytes: 16 },
    ]);
    await reopen();
    const before = await store.status();
    expect(before).toMatchObject({
      folder,
      readOnly: false,
      readOnlyReason: '',
      schemaVersion: MIGRATIONS.length,
      featureBytes: 514_560,
    });
    expect(before.sizeBytes).toBeGreaterThan(512_000);
    await store.removeRun(large.id);
    await expect
      .poll(async () => (await store.status()).sizeBytes, { timeout: 20_000 })
      .toBeLessThan(before.sizeBytes - 500_000);
  });

  it('reports slow calls by name', async () => {
    await store.setSetting('a', 'b');
    await store.getSetting('a');
    expect(slow.map(({ method }) => method)).toEqual(['setSetting', 'getSetting']);
  });

  it('answers what was asked before it was closed, and nothing after', async () => {
    const asked = store.setSetting('a', 'b');
    const closed = store.close();
    await Promise.all([asked, closed, store.close()]);
    await expect(store.getSetting('a')).rejects.toMatchObject({ code: 'Cancelled' });
    store = await openStore({ folder, onThread });
    expect(await store.getSetting('a')).toBe('b');
  });
});
