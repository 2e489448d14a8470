import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../store/open-store.ts';
import type { OpenedStore } from '../store/store.ts';
import { sampleChunk, sampleSlide, storeSample, temporaryFolder } from '../store/testing/samples.ts';
import { type BagFormat, exportBag } from './bag-files.ts';
import { readBag, readPatches } from './hdf5.ts';
import { importBag } from './import-bag.ts';

const TILES = 9;
let folder: string;
let store: OpenedStore;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore({ folder, onThread: false });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Exports a run of nine tiles and returns the paths of its patch and feature files with its features. */
async function exported(format: BagFormat) {
  const run = await storeSample(store, 'a', TILES, 5);
  await store.appendFeatures(sampleChunk(run, 0, TILES));
  const laid = await store.getGrid(run.provenance.gridId);
  if (laid === null) throw new Error('no grid');
  const features = await store.readFeatures(run.id);
  const { info } = sampleSlide('a');
  const files = await exportBag(folder, format, { run, laid, info, slideName: 'a', features });
  const [patches = '', bag = ''] = files.map((file) => `${folder}/${file}`);
  return { patches, bag, features, laid };
}

async function importInto(
  other: OpenedStore,
  bagPath: string,
  patchPath: string | null,
  encoder: string | null = null,
) {
  const slide = sampleSlide('a');
  await other.putSlide(slide);
  const bag = await readBag(bagPath);
  const patches = patchPath === null ? null : await readPatches(patchPath);
  return await importBag(other, { slide, mppUm: 0.499, bag, patches, encoder });
}

describe('importing features of other tools', () => {
  it('finds the grid the slide has already', async () => {
    const { bag, features, laid } = await exported('trident');
    const run = await importInto(store, bag, null);
    expect(run).toMatchObject({ state: 'done', tileCount: TILES, backboneName: 'random@layer4 (imported)' });
    expect(run.provenance.gridId).toBe(laid.grid.id);
    expect(await store.readFeatures(run.id)).toEqual(features);
    // Again: nothing is added.
    expect((await importInto(store, bag, null)).id).toBe(run.id);
    expect(await store.listRuns(null)).toHaveLength(2);
  });

  it.each(['trident', 'clam'] as const)('gives a %s export back in a store that knows nothing', async (format) => {
    const { bag, patches, features, laid } = await exported(format);
    const other = await openStore({ folder: `${folder}/other`, onThread: false });
    try {
      const run = await importInto(other, bag, format === 'clam' ? patches : null, 'resnet18');
      expect(await other.readFeatures(run.id)).toEqual(features);
      const found = await other.getGrid(run.provenance.gridId);
      expect(found?.columns).toEqual(laid.columns);
      expect(found?.rows).toEqual(laid.rows);
    } finally {
      await other.close();
    }
  });

  it('says what it cannot know', async () => {
    const { bag } = await exported('clam');
    const other = await openStore({ folder: `${folder}/other`, onThread: false });
    try {
      await expect(importInto(other, bag, null)).rejects.toMatchObject({ message: expect.stringContaining('encoder') });
      await expect(importInto(other, bag, null, 'x')).rejects.toMatchObject({
        message: expect.stringContaining('how large its tiles are'),
      });
      expect(await other.listRuns(null)).toEqual([]);
    } finally {
      await other.close();
    }
  });
});
