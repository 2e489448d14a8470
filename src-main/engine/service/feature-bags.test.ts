import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FEATURES_ONLY } from '../../../src-shared/model/feature-bag.ts';
import { readFeatureFolder } from '../interop/feature-folder.ts';
import { writeClamFeatures, writeClamPatches } from '../interop/hdf5.ts';
import { openStore } from '../store/open-store.ts';
import type { OpenedStore } from '../store/store.ts';
import { sampleSlide, temporaryFolder } from '../store/testing/samples.ts';
import { importFeatureBag } from './feature-bags.ts';
import { SlideLibrary } from './slide-library.ts';

const GOLDEN = new URL('../interop/testing/', import.meta.url).pathname;
const TILE_PX = 300;
let folder: string;
let store: OpenedStore;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore({ folder: `${folder}/store`, onThread: false });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Six tiles in two rows, a step of 300 px apart, as CLAM writes them: no tile size in the feature file. */
async function clamBag(name: string, value = 1): Promise<void> {
  const corners = {
    x0Px: Float64Array.from([0, 1, 2, 0, 1, 2], (i) => 40 + TILE_PX * i),
    y0Px: Float64Array.from([0, 0, 0, 1, 1, 1], (i) => 25 + TILE_PX * i),
  };
  const features = Float32Array.from({ length: 24 }, (_, i) => value * i);
  await writeClamFeatures(`${folder}/bags/features_uni/h5_files/${name}.h5`, {
    features,
    tileCount: 6,
    dim: 4,
    corners,
  });
}

const request = (name: string, place = 'features_uni') =>
  ({ place, name, slideId: null, encoder: 'features_uni' }) as const;

describe('a folder of feature files', () => {
  it('is read set by set: CLAM, its pt_files and TRIDENT, with slides named as their files', async () => {
    await clamBag('s.one');
    mkdirSync(`${folder}/bags/old/pt_files`, { recursive: true });
    copyFileSync(`${GOLDEN}clam.golden.pt`, `${folder}/bags/old/pt_files/two.pt`);
    mkdirSync(`${folder}/bags/20x_256px_0px_overlap/features_x`, { recursive: true });
    copyFileSync(`${GOLDEN}trident.golden.h5`, `${folder}/bags/20x_256px_0px_overlap/features_x/three.h5`);
    mkdirSync(`${folder}/bags/patches`);
    copyFileSync(`${GOLDEN}clam-patches.golden.h5`, `${folder}/bags/patches/s.one.h5`);
    const { sets, refused } = await readFeatureFolder(`${folder}/bags`);
    expect(refused).toEqual([]);
    expect(sets.map(({ place, encoder, files }) => [place, encoder, files])).toEqual([
      ['20x_256px_0px_overlap/features_x', 'uni_v1', [{ name: 'three', tiles: 4, dim: 3 }]],
      ['features_uni', 'features_uni', [{ name: 's.one', tiles: 6, dim: 4 }]],
      ['old', 'old', [{ name: 'two', tiles: 4, dim: 3 }]],
    ]);
    expect(sets.map(({ named }) => named)).toEqual([true, false, false]);
    // A single file of them is a set of its own, and imported from where it lies.
    const file = `${folder}/bags/features_uni/h5_files/s.one.h5`;
    expect((await readFeatureFolder(file)).sets).toEqual([
      { place: '.', encoder: 'features_uni', named: false, files: [{ name: 's.one', tiles: 6, dim: 4 }] },
    ]);
    expect(await importFeatureBag(store, file, request('s.one', '.'))).toMatchObject({ slideName: 's.one', tiles: 6 });
  });

  it('without any feature file says which it looks for', async () => {
    mkdirSync(`${folder}/bags`);
    await expect(readFeatureFolder(`${folder}/bags`)).rejects.toMatchObject({ code: 'NotFound' });
  });
});

describe('features without their slide', () => {
  it('become a run that the library does not show, once', async () => {
    await clamBag('a');
    const first = await importFeatureBag(store, `${folder}/bags`, request('a'));
    expect(first).toMatchObject({ slideName: 'a', tiles: 6, dim: 4, hasSlide: false });
    expect(await importFeatureBag(store, `${folder}/bags`, request('a'))).toEqual(first);
    expect(await store.readFeatures(first.runId)).toEqual(Float32Array.from({ length: 24 }, (_, i) => i));
    const run = await store.getRun(first.runId);
    expect(run?.provenance).toMatchObject({ mppSource: 'unknown', featureDim: 4 });
    const laid = await store.getGrid((run ?? expect.fail()).provenance.gridId);
    expect(laid?.grid.tileLevel0Px).toBe(TILE_PX);
    expect((await store.listSlides()).map(({ info }) => info.reader)).toEqual([FEATURES_ONLY]);
    expect(await new SlideLibrary(store).list()).toEqual([]);
  });

  it('of two slides of one name stay two slides; of one encoder, one backbone', async () => {
    await clamBag('a');
    await writeClamPatches(
      `${folder}/bags/patches/a.h5`,
      { x0Px: new Float64Array(6), y0Px: new Float64Array(6) },
      {
        ...{ patchSizePx: 512, patchSizeLevel0Px: 512, overlapPx: 0, level0Magnification: 20 },
        targetMagnification: 20,
        level0WidthPx: 4000,
        level0HeightPx: 4000,
      },
      { slideName: 'a', folder: 'patches' },
    );
    const one = await importFeatureBag(store, `${folder}/bags`, request('a'));
    expect(
      (await store.getGrid((await store.getRun(one.runId))?.provenance.gridId ?? expect.fail()))?.grid.tileLevel0Px,
    ).toBe(512);
    mkdirSync(`${folder}/bags/b/pt_files`, { recursive: true });
    copyFileSync(`${GOLDEN}clam.golden.pt`, `${folder}/bags/b/pt_files/a.pt`);
    const two = await importFeatureBag(store, `${folder}/bags`, request('a', 'b'));
    expect(two.slideId).not.toBe(one.slideId);
    expect(two.backboneId).toBe(one.backboneId);
    expect((await store.readFeatures(two.runId))[1]).toBeCloseTo(1 / 7 - 0.5, 6);
  });

  it('go to the slide of the library that is called so where their tiles lie on it', async () => {
    const slide = sampleSlide('a');
    await store.putSlide(slide);
    await clamBag('a');
    const found = await importFeatureBag(store, `${folder}/bags`, request('a'));
    expect(found).toMatchObject({ slideId: slide.id, slideName: 'a.svs', hasSlide: true });
    await store.putSlide({ ...slide, info: { ...slide.info, widthPx: 200 } });
    const other = await importFeatureBag(store, `${folder}/bags`, request('a'));
    expect(other.hasSlide).toBe(false);
  });

  it('are refused where they are not numbers', async () => {
    await clamBag('a', Number.NaN);
    await expect(importFeatureBag(store, `${folder}/bags`, request('a'))).rejects.toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringContaining('not numbers'),
    });
    expect(await store.listSlides()).toEqual([]);
  });

  it('are never read from outside the folder that was chosen', async () => {
    await clamBag('a');
    await expect(importFeatureBag(store, `${folder}/bags`, request('../h5_files/a', '..'))).rejects.toMatchObject({
      code: 'NotAllowed',
    });
  });
});
