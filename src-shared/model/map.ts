import type { RunId, StudyId } from './ids.ts';

/** Which map to draw over the slide. JSON-safe; also the key under which the map is cached. */
export type MapSpec =
  | { readonly kind: 'pca' }
  | {
      /** What the heads of a study weigh; needs a trained study on the same backbone, cut and grid settings. */
      readonly kind: 'attention';
      readonly studyId: StudyId;
      readonly view: 'attention' | 'percentile' | 'contribution' | 'agreement';
      /** Class of a contribution map; null otherwise. */
      readonly classIndex: number | null;
    }
  | { readonly kind: 'clusters'; readonly k: number; readonly seed: number }
  | {
      readonly kind: 'similarity';
      /** Index of the query tile in the grid's tile list. */
      readonly tileIndex: number;
    };

/** A tile as the viewer needs it: all coordinates in level-0 pixels. */
export interface TileRef {
  readonly index: number;
  readonly column: number;
  readonly row: number;
  readonly x0Px: number;
  readonly y0Px: number;
  readonly sizeLevel0Px: number;
}

export interface MapCategory {
  readonly label: string;
  readonly rgb: readonly [number, number, number];
  readonly tileCount: number;
}

/**
 * A map over the grid. Its values come by route as little-endian float32, rows x columns x channels, row-major,
 * NaN where the grid has no tile. 1 channel: a scalar (or category index) to colour; 3 channels: RGB in 0..1.
 */
export interface MapDescription {
  readonly runId: RunId;
  readonly spec: MapSpec;
  readonly columns: number;
  readonly rows: number;
  readonly strideLevel0Px: number;
  readonly tileLevel0Px: number;
  readonly channels: 1 | 3;
  /** Range of a scalar map; [0, 1] for RGB. */
  readonly range: readonly [number, number];
  readonly categories: readonly MapCategory[];
  /** `Cosine similarity to the chosen tile`, … */
  readonly legend: string;
  /** One or two sentences: what the colours mean and what they do not. */
  readonly explanation: string;
  /** For PCA: share of variance of each component. */
  readonly varianceShare: readonly number[];
  readonly query: TileRef | null;
  /** Of attention: heads in the picture, and how many there will be. Absent for other maps. */
  readonly models?: { readonly done: number; readonly of: number };
}

export interface ScoredTile {
  readonly tile: TileRef;
  readonly score: number;
}
