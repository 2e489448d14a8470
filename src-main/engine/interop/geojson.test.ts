import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleBackbone, sampleChunk, sampleGrid, sampleRun, sampleSlide } from '../store/testing/samples.ts';
import { exportBag } from './bag-files.ts';
import { parseCsv } from './csv.ts';
import { type GeoTile, writeTilesGeoJson } from './geojson.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function tileAt(index: number): GeoTile {
  return {
    tile: { index, column: index, row: 2, x0Px: 100 * index, y0Px: 200, sizeLevel0Px: 100.5 },
    name: null,
    rgb: null,
    classification: null,
    measurements: { attention: index / 10 },
  };
}

describe('tables and tiles for other programs', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hyaline-geo-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("writes QuPath's tiles: closed rings, classifications with a colour, NaN as text", async () => {
    const path = join(folder, 'a.geojson');
    const special: GeoTile = {
      ...tileAt(1),
      name: 'Tile "1"',
      rgb: [1, 2, 3],
      classification: { name: 'Cluster 2', rgb: [255, 0, 9] },
      measurements: { attention: Number.NaN, rank: 3 },
    };
    await writeTilesGeoJson(path, 'run-1', [tileAt(0), special]);
    const { type, features } = JSON.parse(readFileSync(path, 'utf8'));
    expect(type).toBe('FeatureCollection');
    expect(features).toHaveLength(2);
    expect(features[0]).toEqual({
      type: 'Feature',
      id: expect.stringMatching(UUID),
      geometry: {
        type: 'Polygon',
        coordinates: [
          [
            [0, 200],
            [100.5, 200],
            [100.5, 300.5],
            [0, 300.5],
            [0, 200],
          ],
        ],
      },
      properties: { objectType: 'tile', isLocked: true, measurements: { attention: 0 } },
    });
    expect(features[1].properties).toEqual({
      objectType: 'tile',
      name: 'Tile "1"',
      color: [1, 2, 3],
      classification: { name: 'Cluster 2', color: [255, 0, 9] },
      isLocked: true,
      measurements: { attention: 'NaN', rank: 3 },
    });
    expect(features[1].id).not.toBe(features[0].id);
  });

  it('gives the same tile the same id again, and streams many, gzipped', async () => {
    const paths = ['a.geojson.gz', 'b.geojson.gz'].map((name) => join(folder, name));
    const tiles = Array.from({ length: 20_000 }, (_, i) => tileAt(i));
    for (const path of paths) await writeTilesGeoJson(path, 'run-1', tiles);
    const [a, b] = paths.map((path) => JSON.parse(gunzipSync(readFileSync(path)).toString()));
    expect(a).toEqual(b);
    expect(new Set(a.features.map(({ id }: { id: string }) => id)).size).toBe(20_000);
    await writeTilesGeoJson(paths[0] ?? '', 'run-2', []);
    expect(JSON.parse(gunzipSync(readFileSync(paths[0] ?? '')).toString()).features).toEqual([]);
  });

  it('leaves the file of before in place when the tiles fail in the middle', async () => {
    const path = join(folder, 'a.geojson');
    await writeTilesGeoJson(path, 'run-1', [tileAt(0)]);
    const before = readFileSync(path, 'utf8');
    function* failing(): Generator<GeoTile> {
      for (let i = 0; i < 5000; i++) yield tileAt(i);
      throw new Error('lost');
    }
    await expect(writeTilesGeoJson(path, 'run-1', failing())).rejects.toThrow('lost');
    await expect(writeTilesGeoJson(join(path, 'b.geojson'), 'run-1', [])).rejects.toMatchObject({
      code: 'FileUnreadable',
    });
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect(readdirSync(folder)).toEqual(['a.geojson']);
  });

  it('writes features as CSV that reads back to the same 32-bit numbers', async () => {
    const { id, info } = sampleSlide('a');
    const laid = sampleGrid(id, 50);
    const run = sampleRun(laid, sampleBackbone('net'), 7);
    const { values } = sampleChunk(run, 0, 50);
    const [file = ''] = await exportBag(folder, 'csv', { run, laid, info, slideName: 's', features: values });
    expect(file).toBe('s.net@layer4.csv');
    const [header, ...rows] = parseCsv(readFileSync(join(folder, file), 'utf8'));
    expect(header?.slice(0, 8)).toEqual(['tile', 'column', 'row', 'x0_px', 'y0_px', 'size_level0_px', 'f0', 'f1']);
    expect(rows[9]?.slice(0, 6)).toEqual(['9', '1', '1', '224', '224', '224.45']);
    const read = Float32Array.from(rows.flatMap((row) => row.slice(6).map(Number)));
    expect(read).toEqual(values);
  });
});
