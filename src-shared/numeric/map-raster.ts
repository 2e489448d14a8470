import type { MapDescription } from '../model/map.ts';
import { type ColourMapName, categoryRgb, colourIndex, colourTable } from './colour-maps.ts';

/** How values become colours. Opacity is the viewer's: a drawn cell is fully opaque here. */
export interface MapPaint {
  readonly colourMap: ColourMapName;
  /** Values at and beyond the ends take the end colours of the map. */
  readonly min: number;
  readonly max: number;
  /** Scalar maps: cells with a smaller value are left transparent; null draws all. */
  readonly threshold: number | null;
}

/** What of a description decides the colours; a MapDescription fits. */
export type MapLayout = Pick<MapDescription, 'columns' | 'rows' | 'channels' | 'categories'>;

/** The paint a description asks for by itself: its own range, nothing hidden. */
export function defaultPaint(description: Pick<MapDescription, 'range'>, colourMap: ColourMapName): MapPaint {
  return { colourMap, min: description.range[0], max: description.range[1], threshold: null };
}

/** Where a value lies between min and max, 0..1, clamped; a range without width gives 0.5 (the middle colour). */
export function normalised(value: number, min: number, max: number): number {
  if (!(max > min)) return 0.5;
  return Math.min(1, Math.max(0, (value - min) / (max - min)));
}

/**
 * A map as canvas pixels, one per grid cell: `columns * rows * 4` RGBA bytes, row-major, not premultiplied.
 * @param values float32, rows x columns x channels, NaN = no tile (alpha 0). One channel: a scalar, or a category index
 * where `layout.categories` is not empty (their own colours are used, colour map and range are not). Three channels:
 * RGB in 0..1.
 * @throws RangeError where `values` is not rows x columns x channels long.
 */
export function rasterizeMap(layout: MapLayout, values: Float32Array, paint: MapPaint): Uint8ClampedArray<ArrayBuffer> {
  const cells = layout.columns * layout.rows;
  if (values.length !== cells * layout.channels) {
    throw new RangeError(
      `A map of ${layout.columns} x ${layout.rows} x ${layout.channels} has ${values.length} values.`,
    );
  }
  const rgba = new Uint8ClampedArray(cells * 4);
  if (layout.channels === 3) paintRgb(values, rgba);
  else if (layout.categories.length > 0) paintCategories(layout, values, rgba);
  else paintScalar(values, rgba, paint);
  return rgba;
}

function paintRgb(values: Float32Array, rgba: Uint8ClampedArray): void {
  for (let i = 0; i * 3 < values.length; i++) {
    const red = values[3 * i] ?? Number.NaN;
    if (Number.isNaN(red)) continue;
    rgba[4 * i] = red * 255;
    rgba[4 * i + 1] = (values[3 * i + 1] ?? 0) * 255;
    rgba[4 * i + 2] = (values[3 * i + 2] ?? 0) * 255;
    rgba[4 * i + 3] = 255;
  }
}

function paintCategories(layout: MapLayout, values: Float32Array, rgba: Uint8ClampedArray): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    rgba.set(layout.categories[value]?.rgb ?? categoryRgb(value), 4 * i);
    rgba[4 * i + 3] = 255;
  }
}

function paintScalar(values: Float32Array, rgba: Uint8ClampedArray, paint: MapPaint): void {
  const table = colourTable(paint.colourMap);
  const threshold = paint.threshold ?? Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? Number.NaN;
    if (!(value >= threshold)) continue;
    const at = 3 * colourIndex(normalised(value, paint.min, paint.max));
    rgba[4 * i] = table[at] ?? 0;
    rgba[4 * i + 1] = table[at + 1] ?? 0;
    rgba[4 * i + 2] = table[at + 2] ?? 0;
    rgba[4 * i + 3] = 255;
  }
}

/** Value of a grid cell for a read-out (all channels); null where the grid has no tile or the cell lies outside. */
export function mapValueAt(
  layout: MapLayout,
  values: Float32Array,
  column: number,
  row: number,
): readonly number[] | null {
  if (column < 0 || row < 0 || column >= layout.columns || row >= layout.rows) return null;
  const start = (row * layout.columns + column) * layout.channels;
  const cell = Array.from(values.subarray(start, start + layout.channels));
  return cell.length < layout.channels || cell.some(Number.isNaN) ? null : cell;
}

/** Evenly spaced "round" ticks (1, 2 or 5 x 10^n apart) inside min..max for a colour bar; both ends where too narrow. */
export function legendTicks(min: number, max: number, wanted = 5): readonly number[] {
  if (!(max > min) || wanted < 2) return min === max ? [min] : [min, max];
  // Beyond float precision no round number lies between the ends.
  if (max - min <= 1e-9 * Math.max(Math.abs(min), Math.abs(max), 1e-300)) return [min, max];
  const raw = (max - min) / (wanted - 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= raw * (1 - 1e-9)) ?? 10);
  const ticks: number[] = [];
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + step * 1e-9; i++) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks.length >= 2 ? ticks : [min, max];
}
