import sharp from 'sharp';
import type { MapDescription } from '../../../src-shared/model/map.ts';
import { DEFAULT_COLOUR_MAP } from '../../../src-shared/numeric/colour-maps.ts';
import { defaultPaint, rasterizeMap } from '../../../src-shared/numeric/map-raster.ts';

/** Wanted longer side of a picture; cells become squares of whole pixels. */
const LONGER_SIDE_PX = 2000;

/**
 * A map as PNG: one square per grid cell in the map's own colours, transparent where there is no tile.
 * @param values as `routes.mapValues` delivers them: float32, rows x columns x channels.
 */
export async function mapPng(description: MapDescription, values: Float32Array): Promise<Uint8Array> {
  const { columns, rows } = description;
  const rgba = rasterizeMap(description, values, defaultPaint(description, DEFAULT_COLOUR_MAP));
  const cellPx = Math.max(1, Math.floor(LONGER_SIDE_PX / Math.max(columns, rows)));
  return sharp(rgba, { raw: { width: columns, height: rows, channels: 4 } })
    .resize(columns * cellPx, rows * cellPx, { kernel: 'nearest' })
    .png({ compressionLevel: 9 })
    .toBuffer();
}
