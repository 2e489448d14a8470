import type { PenInk } from '../../../src-shared/model/run.ts';
import { dilate, labelComponents } from './components.ts';

/** What a colour could be besides tissue. `black` is ink, scanner border or fold: its place decides. `absent` is no pixel's. */
export const INK = { none: 0, blue: 1, green: 2, black: 3, absent: 255 } as const;

/** A stroke of a pen on the glass is far larger than a pigmented cell or a speck of dust, µm². */
const MIN_BLACK_PEN_UM2 = 50_000;
const MIN_COLOUR_PEN_UM2 = 4_000;
/** The soft rim of a stroke, µm. */
const PEN_RIM_UM = 24;

/**
 * The ink a colour looks like, from one mask pixel. Haematoxylin is violet (hue above about 245°) and eosin pink, so
 * that saturated blue and green are no stain of an H&E slide. Other stains name the inks to look for (`penInks`).
 * After the pen filters of histolab, which threshold RGB values where this thresholds hue and chroma.
 */
export function classifyInk(red: number, green: number, blue: number): number {
  const high = Math.max(red, green, blue);
  const low = Math.min(red, green, blue);
  const chroma = high - low;
  if (high < 75 && chroma < 28) return INK.black;
  if (chroma < 0.18 * high || high === red) return INK.none;
  const hue = high === green ? 120 + (60 * (blue - red)) / chroma : 240 + (60 * (red - green)) / chroma;
  if (hue >= 80 && hue < 196) return INK.green;
  if (hue >= 196 && hue < 238 && chroma > 0.42 * high) return INK.blue;
  return INK.none;
}

export interface InkMasks {
  /** Non-zero where a pen drew. */
  readonly pen: Uint8Array;
  /** Non-zero where the scanner left black: reaches the slide's edge. */
  readonly border: Uint8Array;
}

/**
 * Sorts ink colours into pen strokes and black borders: black that reaches the edge of the image is border, large
 * black elsewhere and blue and green in pieces larger than a cell group are pen. Strokes grow by their soft rim.
 * @param ink INK codes, row-major. @param inks which pens to look for.
 */
export function findInk(
  ink: Uint8Array,
  widthPx: number,
  heightPx: number,
  pixelUm2: number,
  inks: readonly PenInk[],
): InkMasks {
  const border = new Uint8Array(ink.length);
  const drawn = new Uint8Array(ink.length);
  const black = only(ink, INK.black, INK.black);
  if (black !== null) {
    const { labels, pixels, touchesEdge } = labelComponents(black, widthPx, heightPx, 8);
    const minPixels = inks.includes('black') ? MIN_BLACK_PEN_UM2 / pixelUm2 : Number.POSITIVE_INFINITY;
    for (let at = 0; at < ink.length; at++) {
      const label = labels[at] ?? 0;
      if (label === 0) continue;
      if (touchesEdge[label - 1] !== 0) border[at] = 1;
      else if ((pixels[label - 1] ?? 0) >= minPixels) drawn[at] = 1;
    }
  }
  const blue = inks.includes('blue') ? INK.blue : INK.absent;
  const green = inks.includes('green') ? INK.green : INK.absent;
  const colour = only(ink, blue, green);
  if (colour !== null) {
    const { labels, pixels } = labelComponents(colour, widthPx, heightPx, 8);
    for (let at = 0; at < ink.length; at++) {
      const label = labels[at] ?? 0;
      if (label > 0 && (pixels[label - 1] ?? 0) >= MIN_COLOUR_PEN_UM2 / pixelUm2) drawn[at] = 1;
    }
  }
  const rimPx = Math.ceil(PEN_RIM_UM / Math.sqrt(pixelUm2));
  return { pen: dilate(drawn, widthPx, heightPx, rimPx), border };
}

/** 1 where the ink is one of two codes; null where there is none at all. */
function only(ink: Uint8Array, first: number, second: number): Uint8Array | null {
  const image = new Uint8Array(ink.length);
  let isEmpty = true;
  for (let at = 0; at < ink.length; at++) {
    if (ink[at] !== first && ink[at] !== second) continue;
    image[at] = 1;
    isEmpty = false;
  }
  return isEmpty ? null : image;
}
