import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import sharp from 'sharp';
import { z } from 'zod';
import { AppError } from '../../../../src-shared/errors.ts';
import { parseCsv } from '../../interop/csv.ts';

export interface ImageSize {
  readonly widthPx: number;
  readonly heightPx: number;
}

/** An annotated object by its centre, in pixels of its image. */
export interface LabelledPoint {
  readonly xPx: number;
  readonly yPx: number;
}

/** One value per pixel, row-major; 0 = nothing annotated there. */
export interface LabelMask extends ImageSize {
  readonly values: Uint8Array;
}

const X_COLUMNS = ['x', 'x_px', 'xpx', 'cx'];
const Y_COLUMNS = ['y', 'y_px', 'ypx', 'cy'];

const position = z.tuple([z.number(), z.number()]).rest(z.number());
const ring = z.array(position);
const geometrySchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('Point'), coordinates: position }),
  z.object({ type: z.literal('MultiPoint'), coordinates: z.array(position) }),
  z.object({ type: z.literal('Polygon'), coordinates: z.array(ring) }),
  z.object({ type: z.literal('MultiPolygon'), coordinates: z.array(z.array(ring)) }),
]);
const featureSchema = z.object({ geometry: geometrySchema });
const geoJsonSchema = z.union([
  z.object({ features: z.array(featureSchema) }).transform(({ features }) => features),
  z.array(featureSchema),
]);
type Geometry = z.infer<typeof geometrySchema>;
type Ring = readonly (readonly number[])[];

/**
 * Centres of the annotated objects: a table with columns x and y, or GeoJSON (points, or polygons by their centroid).
 *
 * @throws AppError FileUnreadable, InvalidRequest where the file is neither.
 */
export async function readPoints(path: string): Promise<readonly LabelledPoint[]> {
  if (isGeoJson(path)) return (await readGeometries(path)).flatMap(pointsOf);
  const [header = [], ...lines] = parseCsv(await readText(path));
  const lower = header.map((title) => title.trim().toLowerCase());
  const column = (names: readonly string[]) => lower.findIndex((name) => names.includes(name));
  const [x, y] = [column(X_COLUMNS), column(Y_COLUMNS)];
  if (x < 0 || y < 0) throw unusable(path, 'It has no columns x and y.');
  return lines.map((line, n) => {
    const [xPx, yPx] = [Number(line[x] || Number.NaN), Number(line[y] || Number.NaN)];
    if (!Number.isFinite(xPx) || !Number.isFinite(yPx)) throw unusable(path, `Line ${n + 2} holds no place.`);
    return { xPx, yPx };
  });
}

/**
 * A mask of an image: a PNG or TIFF of its size (values as they are; of colour images 1 where any channel is not 0), or
 * GeoJSON polygons, filled with 1 (even-odd rule, a pixel counts by its centre).
 *
 * @throws AppError FileUnreadable, InvalidRequest where its size is not that of the image.
 */
export async function readMask(path: string, image: ImageSize): Promise<LabelMask> {
  if (isGeoJson(path)) return filled(await readGeometries(path), image);
  const { data, info } = await sharp(path)
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new AppError('FileUnreadable', `The mask ${basename(path)} cannot be read.`, {
        advice: 'Check that it is a PNG or TIFF image.',
        detail: String(cause),
        cause,
      });
    });
  if (info.width !== image.widthPx || info.height !== image.heightPx) {
    const sizes = `${info.width} x ${info.height} px, not ${image.widthPx} x ${image.heightPx} px`;
    throw unusable(path, `It does not have the size of its image: ${sizes}.`);
  }
  const { channels } = info;
  if (channels === 1) return { ...image, values: new Uint8Array(data) };
  const values = Uint8Array.from({ length: image.widthPx * image.heightPx }, (_, at) =>
    data.subarray(at * channels, (at + 1) * channels).some((value) => value !== 0) ? 1 : 0,
  );
  return { ...image, values };
}

export function isGeoJson(path: string): boolean {
  return ['.geojson', '.json'].includes(extname(path).toLowerCase());
}

async function readGeometries(path: string): Promise<readonly Geometry[]> {
  const text = await readText(path);
  try {
    return geoJsonSchema.parse(JSON.parse(text)).map(({ geometry }) => geometry);
  } catch (cause) {
    throw unusable(path, 'It is no GeoJSON of points or polygons.', cause);
  }
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('FileUnreadable', `The annotation ${basename(path)} cannot be read.`, {
      advice: 'Check its path.',
      detail: String(cause),
      cause,
    });
  });
}

function unusable(path: string, why: string, cause?: unknown): AppError {
  return new AppError('InvalidRequest', `The annotation ${basename(path)} cannot be used. ${why}`, {
    advice: 'Give a table with columns x and y, GeoJSON, or a mask image of the size of its image.',
    ...(cause === undefined ? {} : { detail: String(cause), cause }),
  });
}

function ringsOf(geometry: Geometry): readonly Ring[] {
  if (geometry.type === 'Polygon') return geometry.coordinates;
  return geometry.type === 'MultiPolygon' ? geometry.coordinates.flat() : [];
}

function pointsOf(geometry: Geometry): LabelledPoint[] {
  const at = ([xPx = 0, yPx = 0]: readonly number[]): LabelledPoint => ({ xPx, yPx });
  if (geometry.type === 'Point') return [at(geometry.coordinates)];
  if (geometry.type === 'MultiPoint') return geometry.coordinates.map(at);
  const outlines = geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates;
  return outlines.map(([outer = []]) => centroid(outer));
}

/** Of the area; of its corners where it has none. */
function centroid(outline: Ring): LabelledPoint {
  let [area, xSum, ySum] = [0, 0, 0];
  outline.forEach(([x0 = 0, y0 = 0], i) => {
    const [x1 = 0, y1 = 0] = outline[(i + 1) % outline.length] ?? [];
    const cross = x0 * y1 - x1 * y0;
    area += cross;
    xSum += (x0 + x1) * cross;
    ySum += (y0 + y1) * cross;
  });
  if (Math.abs(area) > 1e-9) return { xPx: xSum / (3 * area), yPx: ySum / (3 * area) };
  const mean = (axis: number) => outline.reduce((sum, place) => sum + (place[axis] ?? 0), 0) / outline.length;
  return { xPx: mean(0), yPx: mean(1) };
}

/** Every polygon by itself, so that two that overlap do not cut a hole into one another. */
function filled(geometries: readonly Geometry[], { widthPx, heightPx }: ImageSize): LabelMask {
  const values = new Uint8Array(widthPx * heightPx);
  for (const geometry of geometries) {
    const rings = ringsOf(geometry);
    const ys = rings.flat().map(([, y = 0]) => y);
    const first = Math.max(0, Math.floor(ys.reduce((a, b) => Math.min(a, b), heightPx)));
    const last = Math.min(heightPx - 1, Math.ceil(ys.reduce((a, b) => Math.max(a, b), 0)));
    for (let y = first; y <= last; y++) {
      const crossings = rings.flatMap((outline) => crossingsOf(outline, y + 0.5)).sort((a, b) => a - b);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const from = Math.max(0, Math.ceil((crossings[i] ?? 0) - 0.5));
        const to = Math.min(widthPx, Math.ceil((crossings[i + 1] ?? 0) - 0.5));
        if (to > from) values.fill(1, y * widthPx + from, y * widthPx + to);
      }
    }
  }
  return { widthPx, heightPx, values };
}

function crossingsOf(outline: Ring, y: number): number[] {
  return outline.flatMap(([x0 = 0, y0 = 0], i) => {
    const [x1 = 0, y1 = 0] = outline[(i + 1) % outline.length] ?? [];
    return y0 <= y === y1 <= y ? [] : [x0 + ((y - y0) * (x1 - x0)) / (y1 - y0)];
  });
}
