import type { MapDescription, TileRef } from '../../../src-shared/model/map.ts';
import type { Run, TileGrid } from '../../../src-shared/model/run.ts';
import type { PixelSize, SlideInfo } from '../../../src-shared/model/slide.ts';
import type { ColourMapName } from '../../../src-shared/numeric/colour-maps.ts';

/** A map with its values: what `computeMap` returns and the store keeps. */
export interface ReportMap {
  readonly description: MapDescription;
  /** Float32, rows x columns x channels, NaN where the grid has no tile. */
  readonly values: Float32Array;
  /** Colours of a scalar map; unused for RGB and categories. */
  readonly colourMap: ColourMapName;
}

export interface ReportTile {
  readonly tile: TileRef;
  readonly score: number;
  /** JPEG or PNG of the tile, square. */
  readonly image: Uint8Array;
}

/** A row of tiles worth looking at, best first. */
export interface ReportGallery {
  /** `Tiles most like the chosen one`, … */
  readonly title: string;
  /** One sentence: how the tiles were chosen and what the score is. */
  readonly explanation: string;
  readonly tiles: readonly ReportTile[];
}

/** The slide as a report may show it. */
export interface ReportSlide {
  /** File name; printed only where `includeSlideName` is set. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly info: SlideInfo;
  /** The pixel size in force. */
  readonly mpp: PixelSize | null;
}

/** Everything a case report prints: plain data, nothing is looked up elsewhere. */
export interface ReportInput {
  /** When the report is made; the only thing in it that is not a function of the rest. */
  readonly createdAtMs: number;
  readonly appVersion: string;
  /** The research-use notice, printed on every page. */
  readonly notice: string;
  /** The user's heading; empty = none. */
  readonly heading: string;
  /** Whether the viewer shows slides through their own colour profile; pictures of the report never are. */
  readonly viewedThroughProfile: boolean;
  /** The user's remarks, printed as such; empty = none. */
  readonly remarks: string;
  readonly includeSlideName: boolean;
  readonly slide: ReportSlide;
  /** JPEG or PNG of the whole slide (level 0 scaled down), never the label or macro image. */
  readonly thumbnail: Uint8Array;
  readonly run: Run;
  readonly grid: TileGrid;
  readonly maps: readonly ReportMap[];
  readonly galleries: readonly ReportGallery[];
}
