import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Run } from '../../../src-shared/model/run.ts';
import { mergeStore } from './merge.ts';
import { mergeStoreFolders } from './merge-folders.ts';
import { openStore } from './open-store.ts';
import type { OpenedStore } from './store.ts';
import { sampleChunk, sampleMap, storeSample, temporaryFolder } from './testing/samples.ts';

const TILES = 600;
const DIM = 4;

/** A store with finished runs of the named slides. */
async function fill(store: OpenedStore, names: readonly string[]): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (const name of names) {
    const run = await storeSample(store, name, TILES, DIM);
    for (let tile = 0; tile < TILES; tile += 50) await store.appendFeatures(sampleChunk(run, tile, 50));
    await store.putMap(sampleMap(run, 1));
    runs.push(await store.updateRun(run.id, { state: 'done', secondsSpent: 3, finishedAtMs: 9 }));
  }
  return runs;
}

describe('merging stores', () => {
  let folders: string[];
  let stores: OpenedStore[];

  const open = async (): Promise<OpenedStore> => {
    const folder = temporaryFolder();
    const store = await openStore({ folder, onThread: false });
    folders.push(folder);
    stores.push(store);
    return store;
  };

  beforeEach(() => {
    folders = [];
    stores = [];
  });

  afterEach(async () => {
    for (const store of stores) await store.close();
    for (const folder of folders) rmSync(folder, { recursive: true });
  });

  it('makes of two shards what one run over all slides would have made', async () => {
    const [whole, target, one, two] = [await open(), await open(), await open(), await open()];
    await fill(whole, ['a', 'b', 'c']);
    await fill(one, ['a', 'c']);
    await fill(two, ['b']);
    await one.setSetting('theme', 'dark');
    for (const shard of [one, two]) await mergeStore(target, shard);
    const named = async (store: OpenedStore) => (await store.listSlides()).map(({ name }) => name).sort();
    expect(await named(target)).toEqual(await named(whole));
    const byId = (runs: readonly Run[]) => [...runs].sort((a, b) => (a.id < b.id ? -1 : 1));
    expect(byId(await target.listRuns(null))).toEqual(byId(await whole.listRuns(null)));
    for (const { id, provenance } of await whole.listRuns(null)) {
      expect(await target.readFeatures(id)).toEqual(await whole.readFeatures(id));
      expect(await target.getGrid(provenance.gridId)).toEqual(await whole.getGrid(provenance.gridId));
      const { spec } = sampleMap({ id } as Run, 1).description;
      expect(await target.getMap(id, spec)).toEqual(await whole.getMap(id, spec));
    }
    expect(await target.getSetting('theme')).toBeNull();
    const again = await mergeStore(target, one);
    expect(again).toMatchObject({ slidesAdded: 0, backbonesAdded: [] });
    expect(again.runs.map(({ outcome }) => outcome)).toEqual(['same', 'same']);
  });

  it('continues a run the target has in part, and after a merge that was broken off', async () => {
    const [target, source] = [await open(), await open()];
    const partial = await storeSample(target, 'a', TILES, DIM);
    await target.appendFeatures(sampleChunk(partial, 0, 37));
    await fill(source, ['a', 'b']);
    const controller = new AbortController();
    const appended: number[] = [];
    const breaking: OpenedStore = {
      ...target,
      appendFeatures: (chunk) => {
        appended.push(chunk.firstTile);
        if (appended.length === 2) controller.abort(new Error('broken off'));
        return target.appendFeatures(chunk);
      },
    };
    await expect(mergeStore(breaking, source, { signal: controller.signal })).rejects.toThrow('broken off');
    expect(await target.nextTile(partial.id)).toBeGreaterThan(37);
    expect(await target.nextTile(partial.id)).toBeLessThan(TILES);
    const { runs } = await mergeStore(target, source);
    expect(runs.map(({ outcome }) => outcome).sort()).toEqual(['added', 'extended']);
    expect(await target.getRun(partial.id)).toMatchObject({ state: 'done', tilesDone: TILES, secondsSpent: 3 });
    expect(await target.readFeatures(partial.id)).toEqual(await source.readFeatures(partial.id));
  });

  it('keeps what the target has where the features differ, and leaves a shorter source alone', async () => {
    const [target, source] = [await open(), await open()];
    const [mine] = await fill(target, ['a', 'b']);
    const other = await storeSample(source, 'a', TILES, DIM);
    const chunk = sampleChunk(other, 0, TILES);
    chunk.values[TILES * DIM - 1] = 123;
    await source.appendFeatures(chunk);
    const short = await storeSample(source, 'b', TILES, DIM);
    await source.appendFeatures(sampleChunk(short, 0, 10));
    const { runs } = await mergeStore(target, source);
    expect(runs).toEqual(
      expect.arrayContaining([
        { runId: other.id, outcome: 'differs' },
        { runId: short.id, outcome: 'same' },
      ]),
    );
    expect(await target.readFeatures(mine?.id ?? other.id)).toEqual(
      new Float32Array(sampleChunk(other, 0, TILES).values),
    );
    expect(await target.getRun(short.id)).toMatchObject({ tilesDone: TILES, state: 'done' });
  });

  it('copies the rest where one run of the source is damaged', async () => {
    const [target, source] = [await open(), await open()];
    const [bad, good] = await fill(source, ['bad', 'good']);
    const db = new Database(join(folders[1] ?? '', 'hyaline.db'));
    const damage =
      'UPDATE chunk SET crc32 = crc32 + 1 WHERE first_tile = 300 AND run_key = (SELECT run_key FROM run WHERE id = ?)';
    db.prepare(damage).run(bad?.id);
    db.close();
    const { runs } = await mergeStore(target, source);
    expect(runs).toEqual([
      { runId: bad?.id, outcome: 'damaged' },
      { runId: good?.id, outcome: 'added' },
    ]);
    const [, kept] = [...(await target.listRuns(null))].sort((a, b) => a.tilesDone - b.tilesDone);
    expect(kept).toMatchObject({ id: good?.id, state: 'done' });
    expect(await target.getRun(bad?.id ?? kept?.id ?? ('' as Run['id']))).toMatchObject({
      state: 'paused',
      tilesDone: 256,
    });
  });

  it('merges folders with the files of their backbones, and refuses what is no store', async () => {
    const [target, source] = [await open(), await open()];
    await fill(source, ['a']);
    await Promise.all([target.close(), source.close()]);
    const [into = '', from = ''] = folders;
    mkdirSync(join(from, 'backbones'));
    writeFileSync(join(from, 'backbones', 'random.onnx'), 'graph');
    const options = { program: 'hyaline merge' };
    const [report] = await mergeStoreFolders({ folder: into }, [{ folder: from }], options);
    expect(report).toMatchObject({ slidesAdded: 1, runs: [{ outcome: 'added' }] });
    expect(readFileSync(join(into, 'backbones', 'random.onnx'), 'utf8')).toBe('graph');
    const nowhere = { folder: join(into, 'nowhere') };
    await expect(mergeStoreFolders({ folder: into }, [nowhere], options)).rejects.toMatchObject({ code: 'NotFound' });
    expect(existsSync(nowhere.folder)).toBe(false);
    await expect(mergeStoreFolders({ folder: into }, [{ folder: into }], options)).rejects.toMatchObject({
      code: 'InvalidRequest',
    });
  });
});
