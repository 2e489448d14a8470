import type { PenInk } from '../../../src-shared/model/run.ts';
import { dilate, labelComponents } from './components.ts';

/** What a colour could be besides tissue. `black` is ink, scanner border or fold: its place decides. */
export const INK = { none: 0, blue: 1, green: 2, black: 3 } as const;

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
  const black = labelComponents(only(ink, [INK.black]), widthPx, heightPx, 8);
  const findsBlack = inks.includes('black');
  for (let at = 0; at < ink.length; at++) {
    const component = black.components[(black.labels[at] ?? 0) - 1];
    if (!component) continue;
    if (component.touchesEdge) border[at] = 1;
    else if (findsBlack && component.pixels * pixelUm2 >= MIN_BLACK_PEN_UM2) drawn[at] = 1;
  }
  const codes = [inks.includes('blue') ? INK.blue : 0, inks.includes('green') ? INK.green : 0].filter(
    (code) => code > 0,
  );
  if (codes.length > 0) {
    const colour = labelComponents(only(ink, codes), widthPx, heightPx, 8);
    for (let at = 0; at < ink.length; at++) {
      const component = colour.components[(colour.labels[at] ?? 0) - 1];
      if (component && component.pixels * pixelUm2 >= MIN_COLOUR_PEN_UM2) drawn[at] = 1;
    }
  }
  const rimPx = Math.ceil(PEN_RIM_UM / Math.sqrt(pixelUm2));
  return { pen: dilate(drawn, widthPx, heightPx, rimPx), border };
}

function only(ink: Uint8Array, codes: readonly number[]): Uint8Array {
  return ink.map((code) => (codes.includes(code) ? 1 : 0));
}
