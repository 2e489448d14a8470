import type { ExportId, RunId, SlideId } from '../model/ids.ts';
import type { MapSpec } from '../model/map.ts';
import type { TissueParams } from '../model/run.ts';

/** The only place that spells a URL: paths of the one Request -> Response handler, the same on app:// and http. */
export const routes = {
  /** A stored tile of a level, in the file's own encoding where the browser can read it. */
  tile: (id: SlideId, level: number, column: number, row: number): string => `/tile/${id}/${level}/${column}_${row}`,
  /** A JPEG overview, its longer side at most `maxPx`. */
  thumbnail: (id: SlideId, maxPx: number): string => `/thumbnail/${id}?max=${maxPx}`,
  /** A label, macro or other associated image, asked for explicitly by the user. */
  associated: (id: SlideId, name: string): string => `/associated/${id}/${encodeURIComponent(name)}`,
  /** A square region in level-0 pixels, delivered at `outPx` a side, as JPEG: for galleries. */
  region: (id: SlideId, x0Px: number, y0Px: number, sizeLevel0Px: number, outPx: number): string =>
    `/region/${id}?x=${x0Px}&y=${y0Px}&size=${sizeLevel0Px}&out=${outPx}`,
  /** The tissue mask as PNG: transparent where there is tissue, shaded where there is none. */
  tissue: (id: SlideId, params: TissueParams): string =>
    `/tissue/${id}?params=${encodeURIComponent(JSON.stringify(params))}`,
  /** Float32 values of a map, see MapDescription. */
  mapValues: (runId: RunId, spec: MapSpec): string => `/map/${runId}?spec=${encodeURIComponent(JSON.stringify(spec))}`,
  download: (id: ExportId): string => `/download/${id}`,
  /** PUT of a dropped file's bytes (web host only); answers `{ grant }`. */
  upload: (fileName: string): string => `/upload/${encodeURIComponent(fileName)}`,
  /** WebSocket of the engine (web host only). */
  socket: '/engine',
} as const;
