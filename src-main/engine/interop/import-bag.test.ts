import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tileRef } from '../grid/laid-grid.ts';
import { overGrid } from '../map/compute-map.ts';
import { openStore } from '../store/open-store.ts';
import type { OpenedStore } from '../store/store.ts';
import { sampleChunk, sampleSlide, storeSample, temporaryFolder } from '../store/testing/samples.ts';
import { type BagFormat, exportBag } from './bag-files.ts';
import { readBag, readPatches, writeClamFeatures, writeClamPatches } from './hdf5.ts';
import { importBag } from './import-bag.ts';

const TILES = 9;
/** A tile of 256 level-0 pixels. */
const FACTS = {
  patchSizePx: 256,
  patchSizeLevel0Px: 256,
  overlapPx: 0,
  level0Magnification: 20,
  targetMagnification: 20,
};
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

  it('keeps tiles that CLAM placed piece by piece exactly where they were, and gives them back so', async () => {
    const slide = sampleSlide('a');
    // Two pieces of tissue with grids of their own, and a third patch over the edge of the second.
    const places = [
      ...[0, 1, 2, 3].map((i) => [100 + 256 * (i % 2), 300 + 256 * Math.floor(i / 2)] as const),
      ...[0, 1].map((i) => [1111 + 256 * i, 1501] as const),
      [1130, 1510] as const,
    ];
    const corners = { x0Px: Float64Array.from(places, ([x]) => x), y0Px: Float64Array.from(places, ([, y]) => y) };
    const facts = { ...FACTS, level0WidthPx: slide.info.widthPx, level0HeightPx: slide.info.heightPx };
    const names = { slideName: 'a', folder: 'x' };
    await writeClamPatches(`${folder}/patches.h5`, corners, facts, names);
    const features = Float32Array.from(places.flat());
    const bag = { features, tileCount: places.length, dim: 2, corners };
    await writeClamFeatures(`${folder}/bag.h5`, bag);
    const run = await importInto(store, `${folder}/bag.h5`, `${folder}/patches.h5`, 'resnet50');
    const laid = await store.getGrid(run.provenance.gridId);
    if (laid === null) throw new Error('no grid');
    // Each feature vector holds the corner of its own tile.
    const read = await store.readFeatures(run.id);
    const tiles = places.map((_, i) => tileRef(laid, i));
    expect(Array.from(read)).toEqual(tiles.flatMap(({ x0Px, y0Px }) => [x0Px, y0Px]));
    expect(new Set(tiles.map(({ x0Px, y0Px }) => `${x0Px},${y0Px}`)).size).toBe(places.length);
    expect(new Set(tiles.map(({ column, row }) => `${column},${row}`)).size).toBe(places.length);
    // A map shows every tile at its place, to a cell.
    const values = overGrid(
      Float32Array.from(tiles, ({ index }) => index),
      1,
      laid,
    );
    for (const { index, column, row, x0Px } of tiles) {
      expect(values[row * laid.grid.columns + column]).toBe(index);
      expect(Math.abs(column * laid.grid.strideLevel0Px - x0Px)).toBeLessThan(128);
    }
    const covered = values.filter((value) => !Number.isNaN(value)).length * laid.grid.strideLevel0Px ** 2;
    expect(covered / (256 * 256)).toBeGreaterThan(places.length - 1.2);
    // The same file again is the same run, and an export has the corners of the import.
    expect((await importInto(store, `${folder}/bag.h5`, `${folder}/patches.h5`, 'resnet50')).id).toBe(run.id);
    const [patchFile = ''] = await exportBag(folder, 'clam', {
      run,
      laid,
      info: slide.info,
      slideName: 'b',
      features: read,
    });
    const again = await readPatches(`${folder}/${patchFile}`);
    const sorted = (x: Float64Array, y: Float64Array) => Array.from(x, (value, i) => `${value},${y[i]}`).sort();
    expect(sorted(again.corners.x0Px, again.corners.y0Px)).toEqual(sorted(corners.x0Px, corners.y0Px));
  });
});
