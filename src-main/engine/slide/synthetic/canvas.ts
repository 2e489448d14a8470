import { scratchArray } from './scratch.ts';

/** Amounts of stain on a rectangle of pixels, before they become light. Row-major, one value a pixel. */
export interface Canvas {
  readonly x0Px: number;
  readonly y0Px: number;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly mppUm: number;
  readonly haematoxylin: Float32Array;
  readonly eosin: Float32Array;
  /** The orange-red of red blood cells. */
  readonly blood: Float32Array;
}

/** An empty canvas in scratch space: valid until the next one is made. */
export function makeCanvas(x0Px: number, y0Px: number, widthPx: number, heightPx: number, mppUm: number): Canvas {
  const count = widthPx * heightPx;
  return {
    x0Px,
    y0Px,
    widthPx,
    heightPx,
    mppUm,
    haematoxylin: scratchArray('haematoxylin', count),
    eosin: scratchArray('eosin', count),
    blood: scratchArray('blood', count),
  };
}

/** Rows and columns of the canvas that a circle in µm can touch, as half-open pixel ranges of the canvas. */
export function touchedPixels(
  canvas: Canvas,
  xUm: number,
  yUm: number,
  reachUm: number,
): { left: number; right: number; top: number; bottom: number } {
  const { mppUm } = canvas;
  return {
    left: Math.max(0, Math.floor((xUm - reachUm) / mppUm) - canvas.x0Px),
    right: Math.min(canvas.widthPx, Math.ceil((xUm + reachUm) / mppUm) + 1 - canvas.x0Px),
    top: Math.max(0, Math.floor((yUm - reachUm) / mppUm) - canvas.y0Px),
    bottom: Math.min(canvas.heightPx, Math.ceil((yUm + reachUm) / mppUm) + 1 - canvas.y0Px),
  };
}

/**
 * Optical density of one unit of each stain in R, G and B. Measured on CMU-1-Small-Region: nuclei about
 * (40, 22, 60), epithelial cytoplasm (129, 81, 128), collagen (174, 72, 115) to (219, 161, 189), glass (246, 243, 243).
 */
const HAEMATOXYLIN = [0.62, 0.72, 0.4] as const;
const EOSIN = [0.165, 0.85, 0.52] as const;
const BLOOD = [0.12, 0.86, 0.62] as const;
export const GLASS = [243, 243, 243] as const;

const STEPS = 1024;
const DENSEST = 2.5;
const [LIGHT_RED, LIGHT_GREEN, LIGHT_BLUE] = [lightTable(GLASS[0]), lightTable(GLASS[1]), lightTable(GLASS[2])];

/** Light left of `glass` by density. */
function lightTable(glass: number): Float32Array {
  return Float32Array.from({ length: STEPS + 1 }, (_, step) => glass * 10 ** ((-step * DENSEST) / STEPS));
}

/** The canvas as 8-bit RGB: Beer-Lambert absorption of the three stains, with a grain fixed to the slide's pixels. */
export function develop(canvas: Canvas, grain: (xPx: number, yPx: number) => number): Uint8Array {
  const { widthPx, heightPx, haematoxylin, eosin, blood } = canvas;
  const [hr, hg, hb] = HAEMATOXYLIN;
  const [er, eg, eb] = EOSIN;
  const [br, bg, bb] = BLOOD;
  const rgb = new Uint8ClampedArray(widthPx * heightPx * 3);
  for (let y = 0, at = 0, to = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++, at++, to += 3) {
      const h = haematoxylin[at] ?? 0;
      const e = eosin[at] ?? 0;
      const b = blood[at] ?? 0;
      const noise = h + e + b > 0.02 ? grain(canvas.x0Px + x, canvas.y0Px + y) : 0;
      rgb[to] = transmitted(LIGHT_RED, h * hr + e * er + b * br) + noise;
      rgb[to + 1] = transmitted(LIGHT_GREEN, h * hg + e * eg + b * bg) + noise;
      rgb[to + 2] = transmitted(LIGHT_BLUE, h * hb + e * eb + b * bb) + noise;
    }
  }
  return new Uint8Array(rgb.buffer);
}

function transmitted(light: Float32Array, density: number): number {
  const step = (density * STEPS) / DENSEST;
  return light[step < STEPS ? step | 0 : STEPS] ?? 0;
}
