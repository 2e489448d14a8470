import sharp from 'sharp';
import type { MapDescription } from '../../../src-shared/model/map.ts';
import type { ColourMapName } from '../../../src-shared/numeric/colour-maps.ts';
import { defaultPaint, rasterizeMap } from '../../../src-shared/numeric/map-raster.ts';
import { originLevel0Px } from '../grid/laid-grid.ts';

export interface MapFigureInput {
  /** JPEG or PNG of the whole slide; a thumbnail padded by rounding is stretched to the slide's own proportions. */
  readonly thumbnail: Uint8Array;
  readonly slideWidthPx: number;
  readonly slideHeightPx: number;
  readonly description: MapDescription;
  readonly values: Float32Array;
  readonly colourMap: ColourMapName;
  /** Longer side of the figure in pixels. */
  readonly maxPx: number;
  /** Of the map over the grey slide, 0..1. */
  readonly opacity: number;
}

/** 8-bit RGB, row-major. */
export interface Figure {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly rgb: Uint8Array;
}

/** A stretch of pixels covered by a tile along one axis: [start, end). */
interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * The map over a grey thumbnail, registered exactly: tile (c, r) covers level-0 pixels round(c x stride) to
 * round(c x stride + tile side), rounded to the nearest pixel of the figure (at least one pixel). Where tiles overlap,
 * their colours are averaged. The query tile of a similarity map is framed.
 */
export async function composeMapFigure(input: MapFigureInput): Promise<Figure> {
  const figure = await greyThumbnail(input);
  const { description } = input;
  const paint = defaultPaint(description, input.colourMap);
  const cells = rasterizeMap(description, input.values, paint);
  const columns = spans(description.columns, description, input.slideWidthPx, figure.widthPx);
  const rows = spans(description.rows, description, input.slideHeightPx, figure.heightPx);
  const layer = new Float32Array(figure.widthPx * figure.heightPx * 4);
  rows.forEach((row, r) => {
    columns.forEach((column, c) => {
      const at = 4 * (r * description.columns + c);
      if (cells[at + 3] !== 0) addCell(layer, figure.widthPx, column, row, cells.subarray(at, at + 3));
    });
  });
  blend(figure.rgb, layer, input.opacity);
  const query = description.query;
  if (query !== null) frame(figure, columns[query.column], rows[query.row]);
  return figure;
}

/** The figure as PNG. */
export async function encodeFigure(figure: Figure): Promise<Uint8Array> {
  const raw = { width: figure.widthPx, height: figure.heightPx, channels: 3 as const };
  return await sharp(figure.rgb, { raw }).png({ compressionLevel: 9 }).toBuffer();
}

/** `composeMapFigure` as PNG. */
export async function renderMapFigure(input: MapFigureInput): Promise<Uint8Array> {
  return await encodeFigure(await composeMapFigure(input));
}

async function greyThumbnail(input: MapFigureInput): Promise<Figure> {
  const scale = input.maxPx / Math.max(input.slideWidthPx, input.slideHeightPx);
  const widthPx = Math.max(1, Math.round(input.slideWidthPx * scale));
  const heightPx = Math.max(1, Math.round(input.slideHeightPx * scale));
  const grey = await sharp(input.thumbnail)
    .flatten({ background: '#ffffff' })
    .resize(widthPx, heightPx, { fit: 'fill' })
    .toColourspace('b-w')
    .extractChannel(0)
    .raw()
    .toBuffer();
  const rgb = new Uint8Array(widthPx * heightPx * 3);
  for (let i = 0; i < rgb.length; i++) rgb[i] = grey[Math.floor(i / 3)] ?? 0;
  return { widthPx, heightPx, rgb };
}

function spans(count: number, description: MapDescription, slidePx: number, figurePx: number): readonly Span[] {
  const scale = figurePx / slidePx;
  return Array.from({ length: count }, (_, i) => {
    const x0Px = originLevel0Px(i, description.strideLevel0Px);
    const start = Math.min(figurePx - 1, Math.round(x0Px * scale));
    // Rounded from the float grid like the next origin, so that adjoining tiles leave no seam.
    const x1Px = Math.round(i * description.strideLevel0Px + description.tileLevel0Px);
    const end = Math.min(figurePx, Math.round(x1Px * scale));
    return { start, end: Math.max(start + 1, end) };
  });
}

/** Adds a cell's colour and one count to every pixel it covers. */
function addCell(layer: Float32Array, widthPx: number, column: Span, row: Span, rgb: Uint8ClampedArray): void {
  for (let y = row.start; y < row.end; y++) {
    for (let x = column.start; x < column.end; x++) {
      const at = 4 * (y * widthPx + x);
      for (let c = 0; c < 3; c++) layer[at + c] = (layer[at + c] ?? 0) + (rgb[c] ?? 0);
      layer[at + 3] = (layer[at + 3] ?? 0) + 1;
    }
  }
}

function blend(rgb: Uint8Array, layer: Float32Array, opacity: number): void {
  for (let i = 0; 3 * i < rgb.length; i++) {
    const tiles = layer[4 * i + 3] ?? 0;
    if (tiles === 0) continue;
    for (let c = 0; c < 3; c++) {
      const ground = rgb[3 * i + c] ?? 0;
      rgb[3 * i + c] = Math.round(ground + opacity * ((layer[4 * i + c] ?? 0) / tiles - ground));
    }
  }
}

/** A black frame with a white one inside it: visible on any colour. */
function frame(figure: Figure, column: Span | undefined, row: Span | undefined): void {
  if (column === undefined || row === undefined) return;
  const border = Math.max(1, Math.round(Math.max(figure.widthPx, figure.heightPx) / 500));
  const outer = { x0: column.start - 2 * border, x1: column.end + 2 * border - 1 };
  for (let y = row.start - 2 * border; y < row.end + 2 * border; y++) {
    for (let x = outer.x0; x <= outer.x1; x++) {
      const inside = Math.min(x - outer.x0, outer.x1 - x, y - row.start + 2 * border, row.end + 2 * border - 1 - y);
      if (inside >= 2 * border || x < 0 || y < 0 || x >= figure.widthPx || y >= figure.heightPx) continue;
      figure.rgb.fill(inside < border ? 0 : 255, 3 * (y * figure.widthPx + x), 3 * (y * figure.widthPx + x) + 3);
    }
  }
}
