import type { RunId } from './ids.ts';
import type { MapDescription, MapSpec, TileRef } from './map.ts';

/** A map of a finished run, as one side of a comparison. */
export interface MapSide {
  readonly runId: RunId;
  readonly spec: MapSpec;
}

/** A tile on which two maps rank the same place differently. */
export interface Disagreement {
  /** On the coarser of the two grids. */
  readonly tile: TileRef;
  readonly valueA: number;
  readonly valueB: number;
  /** Share of the common tiles that lie below, 0..1; ties share the middle. */
  readonly shareA: number;
  readonly shareB: number;
}

/** How far two maps of one slide agree. Values of different backbones have no common scale: ranks are compared. */
export interface MapAgreement {
  /** Tiles compared: those of the coarser grid whose centre lies in a tile of the other one too. */
  readonly tiles: number;
  /** Tiles of the coarser grid without a counterpart. */
  readonly unmatched: number;
  /** Whose grid the comparison is made on. */
  readonly onGridOf: 'a' | 'b';
  readonly sameGrid: boolean;
  /** Spearman's over the compared tiles; null where a map does not vary, or with fewer than three tiles. */
  readonly spearman: number | null;
  /** Largest difference of shares first. */
  readonly disagreements: readonly Disagreement[];
  /**
   * The map of shareB - shareA on the coarser grid, -1..1; its values come by `routes.mapDifference`, NaN where nothing
   * was compared.
   */
  readonly difference: Pick<MapDescription, 'columns' | 'rows' | 'strideLevel0Px' | 'tileLevel0Px'>;
}
