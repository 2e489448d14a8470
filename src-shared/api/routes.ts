import {
  asId,
  type ComparisonId,
  type ExportId,
  type FileGrant,
  type RunId,
  type SlideId,
  type StudyId,
} from '../model/ids.ts';
import type { MapSpec } from '../model/map.ts';
import type { TissueParams } from '../model/run.ts';
import type { MapSide } from '../model/side-by-side.ts';
import { parseTissueExtras } from '../model/tissue-extras.ts';

/** The only place that spells a URL: paths of the one Request -> Response handler, the same on app:// and http. */
export const routes = {
  /** A stored tile of a level, in the file's own encoding where the browser can read it. */
  tile: (id: SlideId, level: number, column: number, row: number): string => `/tile/${id}/${level}/${column}_${row}`,
  /** The same tile with the slide's colour profile applied here: for viewers that cannot do it themselves. */
  correctedTile: (id: SlideId, level: number, column: number, row: number): string =>
    `/corrected-tile/${id}/${level}/${column}_${row}`,
  /** The slide's colour profile as a cube: ICC_LUT_SIDE^3 x 3 bytes (numeric/colour-lut.ts). */
  colourLut: (id: SlideId): string => `/colour-lut/${id}`,
  /** A JPEG overview, its longer side at most `maxPx`. */
  thumbnail: (id: SlideId, maxPx: number): string => `/thumbnail/${id}?max=${maxPx}`,
  /** The same of a slide found in a folder: it is not in the library. */
  foundThumbnail: (grant: FileGrant, maxPx: number): string => `/found-thumbnail/${grant}?max=${maxPx}`,
  /** A label, macro or other associated image, asked for explicitly by the user. */
  associated: (id: SlideId, name: string): string => `/associated/${id}/${encodeURIComponent(name)}`,
  /** A square region in level-0 pixels, delivered at `outPx` a side, as JPEG: for galleries. */
  region: (id: SlideId, x0Px: number, y0Px: number, sizeLevel0Px: number, outPx: number): string =>
    `/region/${id}?x=${x0Px}&y=${y0Px}&size=${sizeLevel0Px}&out=${outPx}`,
  /** The tissue mask as PNG: transparent where there is tissue, shaded where there is none. */
  tissue: (id: SlideId, params: TissueParams): string =>
    `/tissue/${id}?params=${encodeURIComponent(JSON.stringify(params))}`,
  /** Float32 values of a map, see MapDescription. @param models of the picture that `drawMap` described; absent = all. */
  mapValues: (runId: RunId, spec: MapSpec, models?: number): string =>
    `/map/${runId}?spec=${encodeURIComponent(JSON.stringify(spec))}${models === undefined ? '' : `&models=${models}`}`,
  /** Float32 values of the difference of two maps, see MapAgreement. */
  mapDifference: (a: MapSide, b: MapSide): string =>
    `/map-difference/${a.runId}?a=${encodeURIComponent(JSON.stringify(a.spec))}&run=${b.runId}&b=${encodeURIComponent(JSON.stringify(b.spec))}`,
  /** An image of a comparison's tasks as a small PNG, its longer side `maxPx`. */
  patch: (id: ComparisonId, sha256: string, maxPx: number): string => `/patch/${id}?image=${sha256}&max=${maxPx}`,
  download: (id: ExportId): string => `/download/${id}`,
  /** PUT of a dropped file's bytes (web host only); answers `{ grant }`. */
  upload: (fileName: string): string => `/upload/${encodeURIComponent(fileName)}`,
  /** WebSocket of the engine (web host only). */
  socket: '/engine',
} as const;

interface TileAddress {
  readonly slideId: SlideId;
  readonly level: number;
  readonly column: number;
  readonly row: number;
}

/** A request path understood: what `routes` built, taken apart again. */
export type RouteMatch =
  | ({ readonly route: 'tile' } & TileAddress)
  | ({ readonly route: 'correctedTile' } & TileAddress)
  | { readonly route: 'colourLut'; readonly slideId: SlideId }
  | { readonly route: 'thumbnail'; readonly slideId: SlideId; readonly maxPx: number }
  | { readonly route: 'foundThumbnail'; readonly grant: FileGrant; readonly maxPx: number }
  | { readonly route: 'associated'; readonly slideId: SlideId; readonly name: string }
  | {
      readonly route: 'region';
      readonly slideId: SlideId;
      readonly x0Px: number;
      readonly y0Px: number;
      readonly sizeLevel0Px: number;
      readonly outPx: number;
    }
  | { readonly route: 'tissue'; readonly slideId: SlideId; readonly params: TissueParams }
  | { readonly route: 'mapValues'; readonly runId: RunId; readonly spec: MapSpec; readonly models?: number }
  | { readonly route: 'mapDifference'; readonly a: MapSide; readonly b: MapSide }
  | {
      readonly route: 'patch';
      readonly comparisonId: ComparisonId;
      readonly sha256: string;
      readonly maxPx: number;
    }
  | { readonly route: 'download'; readonly exportId: ExportId };

/** Largest side in pixels that a thumbnail or region may be asked for. */
const MAX_SIDE_PX = 2048;

const numberIn = (text: string | null, low: number, high: number): number | null => {
  if (text === null || text === '') return null;
  const value = Number(text);
  return Number.isFinite(value) && value >= low && value <= high ? value : null;
};

const jsonIn = (text: string | null): unknown => {
  if (text === null) return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
};

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** The tissue parameters in a JSON value, or null where one is missing, of the wrong type or out of bounds. */
export function parseTissueParams(value: unknown): TissueParams | null {
  if (typeof value !== 'object' || value === null) return null;
  const { maskMpp, saturationThreshold, minTissueUm2, maxHoleUm2 } = value as Partial<Record<string, unknown>>;
  if (!isNumber(maskMpp) || maskMpp < 0.1 || maskMpp > 100) return null;
  if (saturationThreshold !== null && (!isNumber(saturationThreshold) || saturationThreshold < 0)) return null;
  if (!isNumber(minTissueUm2) || minTissueUm2 < 0 || !isNumber(maxHoleUm2) || maxHoleUm2 < 0) return null;
  const extras = parseTissueExtras(value);
  return extras === null ? null : { maskMpp, saturationThreshold, minTissueUm2, maxHoleUm2, ...extras };
}

/** The map specification in a JSON value, or null. */
export function parseMapSpec(value: unknown): MapSpec | null {
  if (typeof value !== 'object' || value === null) return null;
  const { kind, k, seed, tileIndex, studyId, view, classIndex } = value as Partial<Record<string, unknown>>;
  const whole = (n: unknown, low: number, high: number): n is number =>
    Number.isInteger(n) && (n as number) >= low && (n as number) <= high;
  if (kind === 'pca') return { kind };
  if (kind === 'clusters' && whole(k, 2, 12) && whole(seed, 0, 2 ** 31)) return { kind, k, seed };
  if (kind === 'attention' && typeof studyId === 'string' && /^[\w-]{1,64}$/.test(studyId)) {
    if (view === 'contribution' && whole(classIndex, 0, 1000)) {
      return { kind, studyId: asId<StudyId>(studyId), view, classIndex };
    }
    if (view === 'attention' || view === 'percentile' || view === 'agreement') {
      return { kind, studyId: asId<StudyId>(studyId), view, classIndex: null };
    }
  }
  if (kind === 'similarity' && whole(tileIndex, 0, 2 ** 31)) return { kind, tileIndex };
  return null;
}

/** Takes a request path (with its query) apart; null for what is not a route or not within bounds. */
export function parseRoute(path: string): RouteMatch | null {
  const url = new URL(path, 'route://engine');
  const [name, id, ...rest] = url.pathname.slice(1).split('/');
  if (name === undefined || id === undefined || !/^[\w-]{1,128}$/.test(id)) return null;
  const slideId = asId<SlideId>(id);
  const query = url.searchParams;
  if (name === 'tile') return tileRoute('tile', slideId, rest);
  if (name === 'corrected-tile') return tileRoute('correctedTile', slideId, rest);
  if (name === 'associated' && rest.length === 1) {
    return { route: 'associated', slideId, name: decodeURIComponent(rest[0] ?? '') };
  }
  if (rest.length > 0) return null;
  if (name === 'colour-lut') return { route: 'colourLut', slideId };
  if (name === 'thumbnail' || name === 'found-thumbnail') {
    const maxPx = numberIn(query.get('max'), 1, MAX_SIDE_PX);
    if (maxPx === null) return null;
    if (name === 'thumbnail') return { route: 'thumbnail', slideId, maxPx };
    return { route: 'foundThumbnail', grant: asId<FileGrant>(id), maxPx };
  }
  if (name === 'region') return regionRoute(slideId, query);
  if (name === 'tissue') {
    const params = parseTissueParams(jsonIn(query.get('params')));
    return params === null ? null : { route: 'tissue', slideId, params };
  }
  if (name === 'map') {
    const spec = parseMapSpec(jsonIn(query.get('spec')));
    if (spec === null) return null;
    const map = { route: 'mapValues', runId: asId<RunId>(id), spec } as const;
    if (query.get('models') === null) return map;
    const models = numberIn(query.get('models'), 1, 100_000);
    return models === null || !Number.isInteger(models) ? null : { ...map, models };
  }
  if (name === 'map-difference') {
    const [specA, specB] = [parseMapSpec(jsonIn(query.get('a'))), parseMapSpec(jsonIn(query.get('b')))];
    const other = query.get('run') ?? '';
    if (specA === null || specB === null || !/^[\w-]{1,128}$/.test(other)) return null;
    const [a, b] = [asId<RunId>(id), asId<RunId>(other)];
    return { route: 'mapDifference', a: { runId: a, spec: specA }, b: { runId: b, spec: specB } };
  }
  if (name === 'patch') {
    const sha256 = query.get('image') ?? '';
    const maxPx = numberIn(query.get('max'), 1, MAX_SIDE_PX);
    if (maxPx === null || !/^[0-9a-f]{64}$/.test(sha256)) return null;
    return { route: 'patch', comparisonId: asId<ComparisonId>(id), sha256, maxPx: Math.round(maxPx) };
  }
  return name === 'download' ? { route: 'download', exportId: asId<ExportId>(id) } : null;
}

function tileRoute(route: 'tile' | 'correctedTile', slideId: SlideId, rest: readonly string[]): RouteMatch | null {
  const match = /^(\d{1,2})\/(\d{1,7})_(\d{1,7})$/.exec(rest.join('/'));
  if (match === null) return null;
  return { route, slideId, level: Number(match[1]), column: Number(match[2]), row: Number(match[3]) };
}

function regionRoute(slideId: SlideId, query: URLSearchParams): RouteMatch | null {
  const x0Px = numberIn(query.get('x'), -1e7, 1e7);
  const y0Px = numberIn(query.get('y'), -1e7, 1e7);
  const sizeLevel0Px = numberIn(query.get('size'), 1, 1e6);
  const outPx = numberIn(query.get('out'), 1, MAX_SIDE_PX);
  if (x0Px === null || y0Px === null || sizeLevel0Px === null || outPx === null) return null;
  return { route: 'region', slideId, x0Px, y0Px, sizeLevel0Px, outPx: Math.round(outPx) };
}
