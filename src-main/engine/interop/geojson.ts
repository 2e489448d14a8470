import { createHash } from 'node:crypto';
import type { TileRef } from '../../../src-shared/model/map.ts';
import { writePieces } from './write-pieces.ts';

type Rgb = readonly [number, number, number];

/** A tile as QuPath shows it. */
export interface GeoTile {
  readonly tile: TileRef;
  readonly name: string | null;
  /** 0..255; null = the classification's colour. */
  readonly rgb: Rgb | null;
  readonly classification: { readonly name: string; readonly rgb: Rgb } | null;
  /** Measurements by name; numbers that are none are written as QuPath reads them, `"NaN"`. */
  readonly measurements: Readonly<Record<string, number>>;
}

/** A UUID (version 8, RFC 9562) that is the same for the same tile of the same source. */
function uuidOf(source: string, tileIndex: number): string {
  const hash = createHash('sha256').update(`${source}/${tileIndex}`).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function measurementOf(value: number): number | string {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

/** One tile as a GeoJSON feature in level-0 pixels; the ring is closed and runs clockwise on the screen. */
export function tileFeature(source: string, { tile, name, rgb, classification, measurements }: GeoTile): object {
  const { x0Px, y0Px, sizeLevel0Px } = tile;
  const [right, bottom] = [x0Px + sizeLevel0Px, y0Px + sizeLevel0Px];
  const ring = [
    [x0Px, y0Px],
    [right, y0Px],
    [right, bottom],
    [x0Px, bottom],
    [x0Px, y0Px],
  ];
  return {
    type: 'Feature',
    id: uuidOf(source, tile.index),
    geometry: { type: 'Polygon', coordinates: [ring] },
    properties: {
      objectType: 'tile',
      ...(name === null ? {} : { name }),
      ...(rgb === null ? {} : { color: rgb }),
      // An object without a colour makes QuPath throw.
      ...(classification === null ? {} : { classification: { name: classification.name, color: classification.rgb } }),
      isLocked: true,
      measurements: Object.fromEntries(
        Object.entries(measurements).map(([measurement, value]) => [measurement, measurementOf(value)]),
      ),
    },
  };
}

function* collectionOf(source: string, tiles: Iterable<GeoTile>): Generator<string> {
  yield '{"type":"FeatureCollection","features":[';
  let separator = '\n';
  for (const tile of tiles) {
    yield separator + JSON.stringify(tileFeature(source, tile));
    separator = ',\n';
  }
  yield '\n]}\n';
}

/**
 * Writes tiles as QuPath's GeoJSON (objects of type `tile`, qupath-core, QuPathTypeAdapters), streamed, gzipped where
 * the name ends in `.gz`. `source` (a run id) makes the objects' ids: exporting again gives the same ones.
 * @throws AppError FileUnreadable, DiskFull
 */
export function writeTilesGeoJson(path: string, source: string, tiles: Iterable<GeoTile>): Promise<void> {
  return writePieces(path, collectionOf(source, tiles));
}
