import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromHalf } from '../../../src-shared/numeric/float16.ts';
import { sampleBackbone, sampleChunk, sampleGrid, sampleRun, sampleSlide } from '../store/testing/samples.ts';
import { alignToGrid, cornersOf, patchFactsOf } from './bag.ts';
import { type BagExport, encoderNameOf, exportBag, fileSafe } from './bag-files.ts';
import { readBag, readPatches, writeClamFeatures } from './hdf5.ts';

const reference = (name: string): string => fileURLToPath(new URL(`testing/${name}.golden.h5`, import.meta.url));
const python = ['/usr/bin/python3', 'python3'].find((path) => spawnSync(path, ['-c', 'import h5py']).status === 0);

const FEATURES = Array.from({ length: 12 }, (_, i) => Math.fround(i / 7 - 0.5));

function sampleExport(tileCount: number, dim: number): BagExport {
  const slide = sampleSlide('a');
  const laid = sampleGrid(slide.id, tileCount);
  const run = sampleRun(laid, sampleBackbone('random/net'), dim);
  const features = sampleChunk(run, 0, tileCount).values;
  return { run, laid, info: slide.info, slideName: 'Slide é 1', features };
}

describe('features in HDF5', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hyaline-h5-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("reads TRIDENT's files as h5py wrote them", async () => {
    const bag = await readBag(reference('trident'));
    expect(bag).toMatchObject({ layout: 'trident', tileCount: 4, dim: 3, patchSizeLevel0Px: 512, encoder: 'uni_v1' });
    expect(Array.from(bag.features)).toEqual(FEATURES);
    expect(Array.from(bag.corners.x0Px)).toEqual([0, 449, 898, 100000]);
    expect(Array.from(bag.corners.y0Px)).toEqual([0, 0, 449, 80001]);
    expect(bag.attributes).toMatchObject({ patch_size: 256, level0_magnification: 40, overlap: 0, name: 'TCGA-é' });
  });

  it('reads 16-bit, compressed features and empty slides', async () => {
    const half = await readBag(reference('trident-half'));
    expect(half.tileCount).toBe(4);
    for (const [i, value] of half.features.entries()) expect(Math.abs(value - (FEATURES[i] ?? 0))).toBeLessThan(5e-4);
    expect(half.features).not.toEqual(Float32Array.from(FEATURES));
    expect(await readBag(reference('trident-empty'))).toMatchObject({ tileCount: 0, layout: 'unknown', encoder: null });
  });

  it.each([
    [0x0000, 0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x3555, 0.333251953125],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
  ])('half 0x%s is %s', (bits, value) => {
    expect(fromHalf(bits)).toBe(value);
  });

  it("tells CLAM's files from TRIDENT's and scales their patch size to level 0", async () => {
    expect(await readPatches(reference('clam-patches'))).toMatchObject({ layout: 'clam', patchSizeLevel0Px: 1024 });
    const bag = await readBag(reference('clam'));
    expect(bag).toMatchObject({ layout: 'unknown', patchSizeLevel0Px: null, tileCount: 4, dim: 3, encoder: null });
    expect(Array.from(bag.features)).toEqual(FEATURES);
    expect(Array.from(bag.corners.y0Px)).toEqual([0, 0, 449, 80001]);
  });

  it.each([
    ['none', 'random_net@layer4'],
    ['none+input:0123456789abcdef', 'random_net@layer4+input-0123456789abcdef'],
    ['macenko:fedcba98+input:01234567', 'random_net@layer4+macenko-fedcba98+input-01234567'],
  ] as const)('names the encoder of %s so that file systems take it', (normalisation, name) => {
    const { run } = sampleExport(10, 3);
    expect(encoderNameOf({ ...run, provenance: { ...run.provenance, normalisation } })).toBe(name);
  });

  it('says which folders and files it wrote, without a path of this machine in them', async () => {
    const data = sampleExport(10, 3);
    expect(await exportBag(folder, 'trident', data)).toEqual([
      '20x_224px_0px_overlap/patches/Slide é 1_patches.h5',
      '20x_224px_0px_overlap/features_random_net@layer4/Slide é 1.h5',
    ]);
    expect(await exportBag(folder, 'clam', data)).toEqual([
      'patches/Slide é 1.h5',
      'features_random_net@layer4/h5_files/Slide é 1.h5',
    ]);
    const leftovers = readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith('.part'));
    expect(leftovers).toEqual([]);
    const { attributes } = await readPatches(join(folder, 'patches', 'Slide é 1.h5'));
    expect(JSON.stringify(attributes)).not.toContain(folder);
  });

  it.each(['trident', 'clam'] as const)(
    'gives features back bit for bit after a round trip through %s',
    async (format) => {
      const data = sampleExport(999, 33);
      const [, features = ''] = await exportBag(folder, format, data);
      const bag = await readBag(join(folder, features));
      expect(Buffer.from(bag.features.buffer).equals(Buffer.from(data.features.buffer))).toBe(true);
      expect(bag.corners).toEqual(cornersOf(data.laid));
      expect(alignToGrid(bag, data.laid)).toEqual(data.features);
    },
  );

  it('writes a bag larger than one block', async () => {
    const data = sampleExport(5000, 1024);
    const path = join(folder, 'large.h5');
    await writeClamFeatures(path, {
      features: data.features,
      tileCount: 5000,
      dim: 1024,
      corners: cornersOf(data.laid),
    });
    const read = await readBag(path);
    expect(Buffer.from(read.features.buffer).equals(Buffer.from(data.features.buffer))).toBe(true);
  });

  it('writes a slide without tiles', async () => {
    const [, file = ''] = await exportBag(folder, 'trident', sampleExport(0, 8));
    expect(await readBag(join(folder, file))).toMatchObject({ tileCount: 0, dim: 8, patchSizeLevel0Px: 224 });
  });

  it('puts entries in the order of the grid, and refuses those of another grid', async () => {
    const { laid, features } = sampleExport(12, 2);
    const { x0Px, y0Px } = cornersOf(laid);
    const order = [5, 3, 11, 0, 1, 2, 4, 6, 7, 8, 9, 10];
    const shuffled = {
      tileCount: 12,
      dim: 2,
      features: Float32Array.from(order.flatMap((tile) => [features[2 * tile] ?? 0, features[2 * tile + 1] ?? 0])),
      // Another tool truncates where this one rounds.
      corners: {
        x0Px: Float64Array.from(order, (t) => (x0Px[t] ?? 0) - 1),
        y0Px: Float64Array.from(order, (t) => y0Px[t] ?? 0),
      },
    };
    expect(alignToGrid(shuffled, laid)).toEqual(features);
    const moved = { ...shuffled, corners: { ...shuffled.corners, x0Px: shuffled.corners.x0Px.map((x) => x + 90) } };
    expect(() => alignToGrid(moved, laid)).toThrow(expect.objectContaining({ code: 'InvalidRequest' }));
    const short = { ...shuffled, tileCount: 11 };
    expect(() => alignToGrid(short, laid)).toThrow(
      expect.objectContaining({ detail: expect.stringContaining('1 of 12') }),
    );
  });

  it('reads magnification and patch size from micrometres, not from nominal powers', () => {
    const { laid, info } = sampleExport(4, 2);
    const at = (mppUm: number, mpp: number, objective: number | null) => {
      const grid = {
        ...laid.grid,
        spec: { ...laid.grid.spec, mpp, tileUm: 256 * mpp, strideUm: 224 * mpp },
        tileLevel0Px: (256 * mpp) / mppUm,
      };
      return patchFactsOf(grid, { ...info, objective }, mppUm);
    };
    expect(at(0.265, 1, 40)).toMatchObject({
      patchSizePx: 256,
      patchSizeLevel0Px: 966,
      overlapPx: 32,
      level0Magnification: 40,
      targetMagnification: 10,
    });
    expect(at(0.2527, 0.45, null)).toMatchObject({ level0Magnification: 39.57, targetMagnification: 22.22 });
  });

  it('keeps file names to what file systems take', () => {
    expect(fileSafe('a/b\\c:d*e?.')).toBe('a_b_c_d_e_');
    expect(fileSafe('..')).toBe('_');
  });

  it('refuses what is no HDF5 file, a cut one, and one without features', async () => {
    const path = join(folder, 'x.h5');
    await expect(readBag(path)).rejects.toMatchObject({ code: 'FileUnreadable' });
    writeFileSync(path, 'not HDF5 at all');
    await expect(readBag(path)).rejects.toMatchObject({ message: 'This is not an HDF5 file.' });
    writeFileSync(path, '\x89HDF\r\n\x1a\n and then nothing', 'latin1');
    await expect(readBag(path)).rejects.toMatchObject({
      code: 'FileUnreadable',
      message: expect.stringContaining('damaged'),
    });
    await expect(readBag(reference('clam-patches'))).rejects.toMatchObject({
      message: expect.stringContaining('"features"'),
    });
  });

  it('leaves nothing behind where it cannot write', async () => {
    writeFileSync(join(folder, 'file'), '');
    const { laid, features } = sampleExport(4, 2);
    const path = join(folder, 'file', 'x.h5');
    const bag = { features, tileCount: 4, dim: 2, corners: cornersOf(laid) };
    await expect(writeClamFeatures(path, bag)).rejects.toMatchObject({ code: 'FileUnreadable' });
    expect(existsSync(path)).toBe(false);
  });

  it.skipIf(python === undefined)('writes what h5py reads as TRIDENT and CLAM lay it out', async () => {
    const data = sampleExport(30, 5);
    const trident = await exportBag(folder, 'trident', data);
    const clam = await exportBag(folder, 'clam', data);
    const script = fileURLToPath(new URL('testing/check-h5.py', import.meta.url));
    const { stdout, stderr } = spawnSync(python ?? '', [script, folder, ...trident, ...clam], { encoding: 'utf8' });
    expect(stderr).toBe('');
    const [patches, features, clamPatches, clamFeatures] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const attributes = {
      patch_size: 224,
      patch_size_level0: 224,
      level0_magnification: 20,
      target_magnification: 20,
      overlap: 0,
      name: 'Slide é 1',
      level0_width: 2220,
      level0_height: 2967,
    };
    const { x0Px, y0Px } = cornersOf(data.laid);
    const corners = Array.from(x0Px, (x, i) => [x, y0Px[i]]);
    const sum = expect.closeTo(
      data.features.reduce((total, value) => total + value, 0),
      1,
    );
    const coords = { dtype: 'int64', shape: [30, 2], chunks: [1, 2], maxshape: [null, 2], values: corners };
    expect(patches.coords).toMatchObject({
      ...coords,
      attrs: { ...attributes, savetodir: '20x_224px_0px_overlap/patches' },
    });
    expect(features.features).toMatchObject({
      dtype: 'float32',
      shape: [30, 5],
      chunks: [1, 5],
      maxshape: [null, 5],
      sum,
      attrs: { encoder: 'random_net@layer4', name: 'Slide é 1' },
    });
    expect(features.coords).toMatchObject({ ...coords, attrs: attributes });
    expect(clamPatches.coords).toMatchObject({
      ...coords,
      attrs: { patch_size: 224, patch_level: 0, downsample: [1, 1], level_dim: [2220, 2967], save_path: 'patches' },
    });
    expect(clamFeatures.features).toMatchObject({ dtype: 'float32', attrs: {}, sum });
    expect(clamFeatures.coords).toMatchObject({ dtype: 'int32', attrs: {}, values: corners });
  });
});
