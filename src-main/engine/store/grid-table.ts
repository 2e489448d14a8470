import type { Database } from 'better-sqlite3';
import { AppError } from '../../../src-shared/errors.ts';
import type { TileGrid } from '../../../src-shared/model/run.ts';
import { parseStored, toBlob, uint32Of } from './codec.ts';
import { isOrphan } from './sqlite-errors.ts';
import type { SyncStore } from './sync-store.ts';

export const GRID_SQL = {
  put: `INSERT INTO grid (id, slide_id, tile_count, grid_json, tile_columns, tile_rows, tile_corners)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO NOTHING`,
  get: 'SELECT grid_json, tile_columns, tile_rows, tile_corners FROM grid WHERE id = ?',
} as const;

interface GridRow {
  readonly grid_json: string;
  readonly tile_columns: Buffer;
  readonly tile_rows: Buffer;
  readonly tile_corners: Buffer | null;
}

/** The tile grids: content-addressed, so that one grid serves every backbone. */
export function gridTable(db: Database): Pick<SyncStore, 'putGrid' | 'getGrid'> {
  const put = db.prepare<[string, string, number, string, Buffer, Buffer, Buffer | null]>(GRID_SQL.put);
  const get = db.prepare<[string], GridRow>(GRID_SQL.get);
  return {
    putGrid: ({ grid, columns, rows, cornersPx }) => {
      const wrongCorners = cornersPx !== undefined && cornersPx.length !== 2 * grid.tileCount;
      if (columns.length !== grid.tileCount || rows.length !== grid.tileCount || wrongCorners) {
        throw new AppError('InvalidRequest', 'A tile grid must list as many tiles as it counts.', {
          detail: `tileCount ${grid.tileCount}, columns ${columns.length}, rows ${rows.length}`,
        });
      }
      try {
        const corners = cornersPx === undefined ? null : toBlob(cornersPx);
        put.run(grid.id, grid.slideId, grid.tileCount, JSON.stringify(grid), toBlob(columns), toBlob(rows), corners);
      } catch (error) {
        if (!isOrphan(error)) throw error;
        throw new AppError('NotFound', 'The slide of this tile grid is not in the store.', { cause: error });
      }
    },
    getGrid: (id) => {
      const row = get.get(id);
      if (row === undefined) return null;
      const grid = parseStored<TileGrid>(row.grid_json, 'grid');
      const laid = { grid, columns: uint32Of(row.tile_columns), rows: uint32Of(row.tile_rows) };
      return row.tile_corners === null ? laid : { ...laid, cornersPx: uint32Of(row.tile_corners) };
    },
  };
}
