import { type Layout, layOut } from './layout.ts';
import { makeNoise, type NoiseTables } from './noise.ts';

/** A slide that can be painted: everything is a pure function of these. */
export interface Scene {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly mppUm: number;
  readonly seed: number;
  readonly layout: Layout;
  readonly noise: NoiseTables;
  /** Lobules met so far, by cell: a cache of pure values. */
  readonly lobules: Map<number, Lobule | null>;
  /** Clusters of lymphocytes met so far, likewise. */
  readonly clusters: Map<number, Cluster | null>;
}

/** A crowd of lymphocytes, thinning outwards. */
export interface Cluster {
  readonly xUm: number;
  readonly yUm: number;
  readonly radiusUm: number;
}

/** A group of acini in pale, loose stroma. */
export interface Lobule {
  readonly xUm: number;
  readonly yUm: number;
  readonly radiusUm: number;
  readonly cos: number;
  readonly sin: number;
  readonly stretch: number;
}

export interface SceneOptions {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly mppUm: number;
  readonly seed: number;
  readonly lesions: number;
}

export function makeScene({ widthPx, heightPx, mppUm, seed, lesions }: SceneOptions): Scene {
  return {
    widthPx,
    heightPx,
    mppUm,
    seed,
    layout: layOut(widthPx * mppUm, heightPx * mppUm, seed, lesions),
    noise: makeNoise(seed),
    lobules: new Map(),
    clusters: new Map(),
  };
}

/** A rectangle in µm. */
export interface RectUm {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Calls `visit` for every cell of side `cellUm` that meets the rectangle grown by `reachUm`, row by row. */
export function forEachCell(
  rect: RectUm,
  cellUm: number,
  reachUm: number,
  visit: (column: number, row: number) => void,
): void {
  const left = Math.floor((rect.left - reachUm) / cellUm);
  const right = Math.floor((rect.right + reachUm) / cellUm);
  const bottom = Math.floor((rect.bottom + reachUm) / cellUm);
  for (let row = Math.floor((rect.top - reachUm) / cellUm); row <= bottom; row++) {
    for (let column = left; column <= right; column++) visit(column, row);
  }
}
