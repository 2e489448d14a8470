import type { Migration } from './migration.ts';

/**
 * Tiles that another program placed off any lattice: their exact corners in level-0 pixels, x and y in turn as unsigned
 * 32-bit integers; NULL where columns, rows and stride tell them. A program that ignores the column would take tiles
 * for others, so older ones may not read such a store.
 */
export const freeGrids: Migration = {
  version: 5,
  readableFrom: 5,
  sql: 'ALTER TABLE grid ADD COLUMN tile_corners BLOB;',
};
