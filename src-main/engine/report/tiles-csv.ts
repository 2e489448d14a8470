import type { MapDescription } from '../../../src-shared/model/map.ts';
import { type LaidGrid, tileRef } from '../grid/laid-grid.ts';

/** A map whose values fill columns of the table. */
export interface CsvMap {
  readonly description: MapDescription;
  readonly values: Float32Array;
}

/**
 * All tiles of a grid as CSV (RFC 4180: CRLF, quoted where needed, first line the header): index, grid column and row,
 * level-0 origin and side in pixels, the same in micrometres, then one column per channel of each map. Cells are empty
 * where a map has no value. Clusters are numbered from 1, as in every legend.
 * @param mppUm micrometres per level-0 pixel.
 */
export function tilesCsv(laid: LaidGrid, mppUm: number, maps: readonly CsvMap[]): string {
  const mapColumns = maps.flatMap(columnsOf);
  const names = uniqueNames(mapColumns.map((column) => column.name));
  const lines = [[...TILE_COLUMNS, ...names]];
  for (let index = 0; index < laid.columns.length; index++) {
    const tile = tileRef(laid, index);
    const cell = tile.row * laid.grid.columns + tile.column;
    lines.push([
      String(index),
      String(tile.column),
      String(tile.row),
      String(tile.x0Px),
      String(tile.y0Px),
      shortest(tile.sizeLevel0Px),
      shortest(tile.x0Px * mppUm),
      shortest(tile.y0Px * mppUm),
      shortest(tile.sizeLevel0Px * mppUm),
      ...mapColumns.map((column) => column.value(cell)),
    ]);
  }
  return lines.map((line) => `${line.map(quoted).join(',')}\r\n`).join('');
}

const TILE_COLUMNS = ['tile_index', 'column', 'row', 'x0_px', 'y0_px', 'size_px', 'x0_um', 'y0_um', 'size_um'] as const;

interface MapColumn {
  readonly name: string;
  readonly value: (cell: number) => string;
}

function columnsOf({ description, values }: CsvMap): readonly MapColumn[] {
  const { spec, channels } = description;
  const read = (cell: number, channel: number) => values[cell * channels + channel] ?? Number.NaN;
  switch (spec.kind) {
    case 'pca':
      return ['red', 'green', 'blue'].map((colour, c) => ({
        name: `pca_${colour}`,
        value: (cell) => shortest(read(cell, c)),
      }));
    case 'clusters':
      return [{ name: `cluster_k${spec.k}_seed${spec.seed}`, value: (cell) => shortest(read(cell, 0) + 1) }];
    case 'similarity':
      return [{ name: `similarity_to_tile_${spec.tileIndex}`, value: (cell) => shortest(read(cell, 0)) }];
    case 'attention':
      return [{ name: `${spec.view}_study_${spec.studyId.slice(0, 8)}`, value: (cell) => shortest(read(cell, 0)) }];
  }
}

/** A repeated name gets `_2`, `_3`: readers of CSV want distinct columns. */
function uniqueNames(names: readonly string[]): readonly string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return times === 1 ? name : `${name}_${times}`;
  });
}

/** Seven significant digits, which is what float32 holds; empty for NaN. */
function shortest(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(7))) : '';
}

function quoted(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
