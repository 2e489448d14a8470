import type { MapDescription } from '../../../src-shared/model/map.ts';
import type { MapAgreement } from '../../../src-shared/model/side-by-side.ts';
import type { ColourMapName } from '../../../src-shared/numeric/colour-maps.ts';
import { defaultPaint, type MapLayout, type MapPaint, rasterizeMap } from '../../../src-shared/numeric/map-raster.ts';
import type { MapImage } from '../../viewer/overlay-painter.ts';

/** A map over its own range. */
export function paneImage(map: MapDescription, values: Float32Array, colourMap: ColourMapName): MapImage | null {
  return imageOf(map, values, defaultPaint(map, colourMap), map);
}

/** The difference of two maps: blue where A ranks a place higher, red where B does, pale where they agree. */
export function differenceImage({ difference }: MapAgreement, values: Float32Array): MapImage | null {
  const layout: MapLayout = { ...difference, channels: 1, categories: [] };
  return imageOf(layout, values, { colourMap: 'coolwarm', min: -1, max: 1, threshold: null }, difference);
}

function imageOf(
  layout: MapLayout,
  values: Float32Array,
  paint: MapPaint,
  { strideLevel0Px, tileLevel0Px }: Pick<MapDescription, 'strideLevel0Px' | 'tileLevel0Px'>,
): MapImage | null {
  const { columns, rows } = layout;
  if (columns === 0 || rows === 0) return null;
  const source = document.createElement('canvas');
  source.width = columns;
  source.height = rows;
  const pixels = rasterizeMap(layout, values, paint);
  source.getContext('2d')?.putImageData(new ImageData(pixels, columns, rows), 0, 0);
  return { source, strideLevel0Px, tileLevel0Px };
}
