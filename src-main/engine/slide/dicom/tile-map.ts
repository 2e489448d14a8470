import type { DataSet } from 'dicom-parser';
import { formatUnsupported, slideDamaged } from '../slide-errors.ts';
import type { DicomInstance } from './instance.ts';

/** Which frame (counted over all parts of the image) holds a tile; -1 where the image has none there. */
export interface TileMap {
  readonly columns: number;
  readonly rows: number;
  frameOf(column: number, row: number): number;
}

/**
 * Tile to frame for the parts of one image. TILED_FULL counts tiles row by row, then focal planes, then optical paths
 * (PS3.3, C.7.6.17.3); TILED_SPARSE says the place of every frame. Of several focal planes the middle one is taken.
 */
export function tileMap(parts: readonly DicomInstance[]): TileMap {
  const first = parts[0] as DicomInstance;
  const columns = Math.ceil(first.widthPx / first.tileWidthPx);
  const rows = Math.ceil(first.heightPx / first.tileHeightPx);
  if (first.sparse) return sparseMap(parts, columns, rows);
  const frames = parts.reduce((sum, part) => sum + part.frames, 0);
  const plane = Math.floor((first.focalPlanes - 1) / 2) * columns * rows;
  if (frames < plane + columns * rows) throw slideDamaged(`${frames} frames for ${columns * rows} tiles`);
  return { columns, rows, frameOf: (column, row) => plane + row * columns + column };
}

function sparseMap(parts: readonly DicomInstance[], columns: number, rows: number): TileMap {
  const places: { column: number; row: number; z: number; frame: number }[] = [];
  for (const part of parts) {
    const groups = part.header.elements.x52009230?.items ?? [];
    if (groups.length < part.frames) throw slideDamaged(`${groups.length} positions for ${part.frames} frames`);
    for (const [index, group] of groups.entries()) {
      const place = group.dataSet?.elements.x0048021a?.items?.[0]?.dataSet;
      if (place !== undefined) places.push({ ...placeOf(part, place), frame: part.frameOffset + index });
    }
  }
  const depths = [...new Set(places.map((place) => place.z))].sort((a, b) => a - b);
  const middle = depths[Math.floor((depths.length - 1) / 2)];
  const byTile = new Map<number, number>();
  for (const { column, row, z, frame } of places) {
    const key = row * columns + column;
    if (z === middle && column < columns && row < rows && !byTile.has(key)) byTile.set(key, frame);
  }
  return { columns, rows, frameOf: (column, row) => byTile.get(row * columns + column) ?? -1 };
}

function placeOf(part: DicomInstance, place: DataSet): { column: number; row: number; z: number } {
  const x = (place.int32('x0048021e') ?? 1) - 1;
  const y = (place.int32('x0048021f') ?? 1) - 1;
  if (x < 0 || y < 0) throw slideDamaged(`a frame at ${x}, ${y}`);
  if (x % part.tileWidthPx !== 0 || y % part.tileHeightPx !== 0) throw formatUnsupported('tiles that overlap');
  return { column: x / part.tileWidthPx, row: y / part.tileHeightPx, z: place.floatString('x0040074a') ?? 0 };
}
