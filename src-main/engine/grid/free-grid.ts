/** Where tiles lie that another program placed: top-left corners in level-0 pixels, tile by tile. */
export interface Corners {
  readonly x0Px: ArrayLike<number>;
  readonly y0Px: ArrayLike<number>;
}

/** Free tiles on a lattice of their own: for drawing, since every tile has a cell that no other has. */
export interface FreePlacement {
  /** Input index of tile i, in row-major order of the cells. */
  readonly order: readonly number[];
  readonly columns: Uint32Array;
  readonly rows: Uint32Array;
  /** Exact corners in the new order, x and y in turn. */
  readonly cornersPx: Uint32Array;
  /** Side of a cell: the tile's over 2, 4 or 8. */
  readonly strideLevel0Px: number;
  /** Cells along each axis, so that every tile is covered. */
  readonly columnCount: number;
  readonly rowCount: number;
}

/** Cells along a tile: the coarsest that keeps tiles apart is taken. */
const CELLS_PER_TILE: readonly number[] = [2, 4, 8];

/**
 * Gives every tile the lattice cell nearest to its corner; where two tiles lie closer together than the finest cells,
 * the second takes the next free one. CLAM lays a grid of its own on each piece of tissue, so its tiles are of this
 * kind.
 */
export function placeFreely(corners: Corners, tileLevel0Px: number): FreePlacement {
  const count = corners.x0Px.length;
  let [span, cells] = [8, new Map<string, number>()];
  for (const candidate of CELLS_PER_TILE) {
    span = candidate;
    cells = nearestCells(corners, count, tileLevel0Px / span);
    if (cells.size === count) break;
  }
  if (cells.size < count) cells = freeCells(corners, count, tileLevel0Px / span);
  const placed = Array.from(cells, ([key, index]) => {
    const [column = 0, row = 0] = key.split(',').map(Number);
    return { column, row, index };
  });
  placed.sort((a, b) => a.row - b.row || a.column - b.column);
  const columns = Uint32Array.from(placed, ({ column }) => column);
  const rows = Uint32Array.from(placed, ({ row }) => row);
  return {
    order: placed.map(({ index }) => index),
    columns,
    rows,
    cornersPx: Uint32Array.from(placed.flatMap(({ index }) => [corners.x0Px[index] ?? 0, corners.y0Px[index] ?? 0])),
    strideLevel0Px: tileLevel0Px / span,
    columnCount: span + columns.reduce((most, column) => Math.max(most, column), 0),
    rowCount: span + rows.reduce((most, row) => Math.max(most, row), 0),
  };
}

/** Tile index by `column,row` of its nearest cell; fewer than tiles where some share a cell. */
function nearestCells({ x0Px, y0Px }: Corners, count: number, cellPx: number): Map<string, number> {
  const cells = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const key = `${Math.round((x0Px[i] ?? 0) / cellPx)},${Math.round((y0Px[i] ?? 0) / cellPx)}`;
    if (!cells.has(key)) cells.set(key, i);
  }
  return cells;
}

function freeCells({ x0Px, y0Px }: Corners, count: number, cellPx: number): Map<string, number> {
  const cells = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    let column = Math.round((x0Px[i] ?? 0) / cellPx);
    const row = Math.round((y0Px[i] ?? 0) / cellPx);
    while (cells.has(`${column},${row}`)) column++;
    cells.set(`${column},${row}`, i);
  }
  return cells;
}
