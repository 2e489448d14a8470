import type { MapDescription, TileRef } from '../../src-shared/model/map.ts';
import type { MaskStroke } from '../../src-shared/model/mask-edits.ts';
import { type Affine, inDevicePx, placed, type ViewState, viewTransform } from './view-transform.ts';

/** A map as pixels, one per cell of the grid. */
export interface MapImage {
  readonly source: CanvasImageSource;
  readonly strideLevel0Px: number;
  readonly tileLevel0Px: number;
}

/** A picture of the whole slide, e.g. the tissue mask. */
export interface SlideImage {
  readonly source: CanvasImageSource;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly slideWidthPx: number;
  readonly slideHeightPx: number;
}

type Square = Pick<TileRef, 'x0Px' | 'y0Px' | 'sizeLevel0Px'>;

export interface Outline {
  readonly square: Square;
  readonly style: 'hover' | 'query' | 'chosen';
}

/** All that is drawn over the slide. */
export interface OverlayScene {
  readonly map: MapImage | null;
  /** One opacity for the whole map: colour alone carries the value. */
  readonly opacity: number;
  readonly mask: SlideImage | null;
  readonly outlines: readonly Outline[];
  /** The stroke that is being painted over the mask. */
  readonly stroke: MaskStroke | null;
}

/**
 * Paints the scene for one frame, in the slide's own coordinates: tile (c, r) of a map begins at stride x c level-0
 * pixels with the float stride, so nothing drifts towards the far corner. Cells are drawn as they are, never blurred.
 */
export function paintOverlay(
  canvas: HTMLCanvasElement,
  view: ViewState,
  devicePxPerCssPx: number,
  scene: OverlayScene,
): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const width = Math.round(view.widthCssPx * devicePxPerCssPx);
  const height = Math.round(view.heightCssPx * devicePxPerCssPx);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  const toScreen = inDevicePx(viewTransform(view), devicePxPerCssPx);
  if (scene.mask) paintMask(context, toScreen, scene.mask);
  if (scene.map && scene.opacity > 0) paintMap(context, toScreen, scene.map, scene.opacity);
  if (scene.stroke) paintStroke(context, toScreen, scene.stroke);
  for (const outline of scene.outlines) paintOutline(context, toScreen, outline, devicePxPerCssPx);
}

function paintMap(context: CanvasRenderingContext2D, toScreen: Affine, map: MapImage, opacity: number): void {
  // A cell stands for its tile: where tiles overlap, the cell sits at the middle of the tile it colours.
  const inset = (map.tileLevel0Px - map.strideLevel0Px) / 2;
  setTransform(context, placed(toScreen, map.strideLevel0Px, inset, inset));
  context.imageSmoothingEnabled = false;
  context.globalAlpha = opacity;
  context.drawImage(map.source, 0, 0);
  context.globalAlpha = 1;
}

function paintMask(context: CanvasRenderingContext2D, toScreen: Affine, mask: SlideImage): void {
  setTransform(context, toScreen);
  context.imageSmoothingEnabled = false;
  context.drawImage(mask.source, 0, 0, mask.slideWidthPx, mask.slideHeightPx);
}

const STROKE_COLOURS = { add: 'rgb(95 211 198 / 45%)', remove: 'rgb(120 126 132 / 60%)' } as const;

function paintStroke(context: CanvasRenderingContext2D, toScreen: Affine, stroke: MaskStroke): void {
  setTransform(context, toScreen);
  context.beginPath();
  const [first] = stroke.points;
  if (!first) return;
  context.fillStyle = STROKE_COLOURS[stroke.kind];
  if (stroke.points.length === 1) {
    context.arc(...first, stroke.radiusLevel0Px, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  context.moveTo(...first);
  for (const point of stroke.points) context.lineTo(...point);
  context.lineCap = 'round';
  context.lineJoin = 'round';
  context.lineWidth = 2 * stroke.radiusLevel0Px;
  context.strokeStyle = STROKE_COLOURS[stroke.kind];
  context.stroke();
}

const OUTLINE_COLOURS = { hover: '#ffffff', query: '#5fd3c6', chosen: '#ffd166' } as const;
const SMALLEST_OUTLINE_CSS_PX = 9;

/** Two lines, dark under bright, so that an outline is seen on white glass and on dark maps alike. */
function paintOutline(
  context: CanvasRenderingContext2D,
  toScreen: Affine,
  { square, style }: Outline,
  devicePxPerCssPx: number,
): void {
  const smallest = SMALLEST_OUTLINE_CSS_PX * devicePxPerCssPx;
  const scale = Math.hypot(toScreen.a, toScreen.b);
  const size = Math.max(square.sizeLevel0Px, smallest / scale);
  const grow = (size - square.sizeLevel0Px) / 2;
  setTransform(context, placed(toScreen, 1, square.x0Px - grow, square.y0Px - grow));
  context.beginPath();
  context.rect(0, 0, size, size);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.lineJoin = 'round';
  context.strokeStyle = 'rgb(0 0 0 / 75%)';
  context.lineWidth = 4 * devicePxPerCssPx;
  context.stroke();
  context.strokeStyle = OUTLINE_COLOURS[style];
  context.lineWidth = (style === 'hover' ? 1.5 : 2) * devicePxPerCssPx;
  context.stroke();
}

function setTransform(context: CanvasRenderingContext2D, m: Affine): void {
  context.setTransform(m.a, m.b, m.c, m.d, m.e, m.f);
}

/** The cell of the grid under a place, and its tile; null beside the grid and in the gaps between tiles. */
export function cellAt(
  map: Pick<MapDescription, 'columns' | 'rows' | 'strideLevel0Px' | 'tileLevel0Px'>,
  x0Px: number,
  y0Px: number,
): { readonly column: number; readonly row: number; readonly square: Square } | null {
  const inset = (map.tileLevel0Px - map.strideLevel0Px) / 2;
  const column = Math.floor((x0Px - inset) / map.strideLevel0Px);
  const row = Math.floor((y0Px - inset) / map.strideLevel0Px);
  if (column < 0 || row < 0 || column >= map.columns || row >= map.rows) return null;
  const square = {
    x0Px: Math.round(column * map.strideLevel0Px),
    y0Px: Math.round(row * map.strideLevel0Px),
    sizeLevel0Px: map.tileLevel0Px,
  };
  const inside =
    x0Px >= square.x0Px &&
    y0Px >= square.y0Px &&
    x0Px < square.x0Px + square.sizeLevel0Px &&
    y0Px < square.y0Px + square.sizeLevel0Px;
  return inside ? { column, row, square } : null;
}
