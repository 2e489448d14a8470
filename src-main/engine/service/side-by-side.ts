import type { MapDescription } from '../../../src-shared/model/map.ts';
import type { Disagreement, MapAgreement } from '../../../src-shared/model/side-by-side.ts';
import { midranks, spearman } from '../../../src-shared/numeric/statistics.ts';
import { type LaidGrid, tileRef } from '../grid/laid-grid.ts';

/** A scalar map with the grid it was computed on. */
export interface ScalarMap {
  readonly laid: LaidGrid;
  readonly description: Pick<MapDescription, 'columns' | 'rows'>;
  /** rows x columns, NaN where the grid has no tile. */
  readonly values: Float32Array;
}

export interface ComparedMaps {
  readonly agreement: MapAgreement;
  /** shareB - shareA on the coarser grid, rows x columns, NaN where nothing was compared. */
  readonly difference: Float32Array;
}

/** Fewer places than this have no rank correlation worth the name. */
const FEWEST_TILES = 3;

/**
 * Compares two maps of one slide by place: every tile of the coarser grid with the tile of the other one that holds its
 * centre (of several the one whose own centre is nearest). Ranks, because values of different networks have no common
 * scale: Spearman's correlation, and for every place the difference of the shares of places that lie below it.
 *
 * @param most how many disagreements are listed.
 */
export function compareMaps(a: ScalarMap, b: ScalarMap, most: number): ComparedMaps {
  const onA = a.laid.grid.strideLevel0Px >= b.laid.grid.strideLevel0Px;
  const [coarse, fine] = onA ? [a, b] : [b, a];
  const findTile = tileFinder(fine.laid);
  const pairs = Array.from(coarse.laid.columns, (_, index) => {
    const { x0Px, y0Px, sizeLevel0Px } = tileRef(coarse.laid, index);
    const other = findTile(x0Px + sizeLevel0Px / 2, y0Px + sizeLevel0Px / 2);
    const [own, across] = [valueAt(coarse, index), other === null ? Number.NaN : valueAt(fine, other)];
    return { index, valueA: onA ? own : across, valueB: onA ? across : own };
  }).filter(({ valueA, valueB }) => Number.isFinite(valueA) && Number.isFinite(valueB));
  const sharesA = sharesBelow(pairs.map(({ valueA }) => valueA));
  const sharesB = sharesBelow(pairs.map(({ valueB }) => valueB));
  const { columns, rows } = coarse.description;
  const difference = new Float32Array(columns * rows).fill(Number.NaN);
  const disagreements = pairs.map((pair, i): Disagreement => {
    const [shareA, shareB] = [sharesA[i] ?? Number.NaN, sharesB[i] ?? Number.NaN];
    difference[cellOf(coarse, pair.index)] = shareB - shareA;
    return { tile: tileRef(coarse.laid, pair.index), valueA: pair.valueA, valueB: pair.valueB, shareA, shareB };
  });
  const by = ({ shareA, shareB }: Disagreement): number => Math.abs(shareB - shareA);
  const { strideLevel0Px, tileLevel0Px } = coarse.laid.grid;
  const agreement: MapAgreement = {
    tiles: pairs.length,
    unmatched: coarse.laid.columns.length - pairs.length,
    onGridOf: onA ? 'a' : 'b',
    sameGrid: a.laid.grid.id === b.laid.grid.id,
    spearman: rankAgreement(pairs),
    disagreements: disagreements.sort((p, q) => by(q) - by(p) || p.tile.index - q.tile.index).slice(0, most),
    difference: { columns, rows, strideLevel0Px, tileLevel0Px },
  };
  return { agreement, difference };
}

function rankAgreement(pairs: readonly { readonly valueA: number; readonly valueB: number }[]): number | null {
  if (pairs.length < FEWEST_TILES) return null;
  const found = spearman(
    pairs.map(({ valueA }) => valueA),
    pairs.map(({ valueB }) => valueB),
  );
  return Number.isFinite(found) ? found : null;
}

/** Middle of each value's place among all, 0..1. */
function sharesBelow(values: readonly number[]): Float64Array {
  return midranks(values).map((rank) => (rank - 0.5) / values.length);
}

function cellOf({ laid, description }: ScalarMap, index: number): number {
  return (laid.rows[index] ?? 0) * description.columns + (laid.columns[index] ?? 0);
}

function valueAt(map: ScalarMap, index: number): number {
  return map.values[cellOf(map, index)] ?? Number.NaN;
}

/** Finds the tile that holds a point of the slide (level-0 pixels), whatever lattice the tiles lie on. */
function tileFinder(laid: LaidGrid): (x0Px: number, y0Px: number) => number | null {
  const size = laid.grid.tileLevel0Px;
  const buckets = new Map<string, number[]>();
  const key = (column: number, row: number): string => `${column} ${row}`;
  const bucketOf = (px: number): number => Math.floor(px / size);
  laid.columns.forEach((_, index) => {
    const { x0Px, y0Px } = tileRef(laid, index);
    const at = key(bucketOf(x0Px), bucketOf(y0Px));
    const bucket = buckets.get(at);
    if (bucket === undefined) buckets.set(at, [index]);
    else bucket.push(index);
  });
  return (x0Px, y0Px) => {
    let best: number | null = null;
    let nearest = Number.POSITIVE_INFINITY;
    // A tile that holds the point begins in the point's bucket or in the one before it.
    for (const column of [bucketOf(x0Px) - 1, bucketOf(x0Px)]) {
      for (const row of [bucketOf(y0Px) - 1, bucketOf(y0Px)]) {
        for (const index of buckets.get(key(column, row)) ?? []) {
          const tile = tileRef(laid, index);
          const [dx, dy] = [x0Px - tile.x0Px, y0Px - tile.y0Px];
          if (dx < 0 || dy < 0 || dx >= size || dy >= size) continue;
          const distance = Math.hypot(dx - size / 2, dy - size / 2);
          if (distance >= nearest) continue;
          nearest = distance;
          best = index;
        }
      }
    }
    return best;
  };
}
