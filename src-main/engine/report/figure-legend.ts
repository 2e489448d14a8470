import sharp, { type OverlayOptions } from 'sharp';
import type { MapDescription } from '../../../src-shared/model/map.ts';
import { type ColourMapName, colourTable, type Rgb } from '../../../src-shared/numeric/colour-maps.ts';
import { legendTicks, normalised } from '../../../src-shared/numeric/map-raster.ts';
import { BODY_FONT, REPORT_FONTS } from './fonts.ts';
import { composeMapFigure, type MapFigureInput } from './map-figure.ts';
import { scaleBar } from './scale-bar.ts';
import { grouped, percentText, rounded } from './wording.ts';

export interface LegendFigureInput extends MapFigureInput {
  /** Micrometres per level-0 pixel, for the scale bar. */
  readonly mppUm: number;
  /** Printed under the legend: the research-use notice. */
  readonly notice: string;
}

const MARGIN = 24;
const PANEL_WIDTH = 360;
const MIN_HEIGHT = 560;
const INK: Rgb = [0x1b, 0x1b, 0x1f];
const QUIET: Rgb = [0x5d, 0x60, 0x68];

/** Something drawn on the panel: its place and size on the page. */
interface Mark {
  readonly left: number;
  readonly top: number;
  readonly overlay: OverlayOptions;
}

/**
 * A map as PNG that stands by itself: the figure at left, at right what it is, its colours, what it means, a scale bar
 * and the notice, on white. Text is set in the report's own font.
 */
export async function renderFigureWithLegend(input: LegendFigureInput): Promise<Uint8Array> {
  const figure = await composeMapFigure(input);
  const panel = new Panel(2 * MARGIN + figure.widthPx, MARGIN);
  const { description } = input;
  await panel.text(description.legend, 11, INK, true);
  panel.skip(10);
  await drawColours(panel, description, input.colourMap);
  panel.skip(12);
  await panel.text(description.explanation, 9, INK);
  panel.skip(12);
  await drawScaleBar(panel, input, figure.widthPx);
  panel.skip(14);
  await panel.text(input.notice, 8.5, QUIET, true);
  const raw = { width: figure.widthPx, height: figure.heightPx, channels: 3 as const };
  return await sharp({
    create: {
      width: figure.widthPx + PANEL_WIDTH + 3 * MARGIN,
      height: Math.max(figure.heightPx + 2 * MARGIN, panel.bottom + MARGIN, MIN_HEIGHT),
      channels: 3,
      background: '#ffffff',
    },
  })
    .composite([
      { input: Buffer.from(figure.rgb), raw, left: MARGIN, top: MARGIN },
      ...panel.marks.map(({ overlay, left, top }) => ({ ...overlay, left, top })),
    ])
    .removeAlpha()
    .png({ compressionLevel: 9 })
    .toBuffer();
}

/** Draws from top to bottom in a column. */
class Panel {
  readonly marks: Mark[] = [];
  readonly left: number;
  bottom: number;

  constructor(left: number, top: number) {
    this.left = left;
    this.bottom = top;
  }

  skip(px: number): void {
    this.bottom += px;
  }

  add(overlay: OverlayOptions, dx: number, dy: number): void {
    this.marks.push({ overlay, left: this.left + Math.round(dx), top: this.bottom + Math.round(dy) });
  }

  /** A wrapped paragraph; the column goes on below it. */
  async text(content: string, points: number, colour: Rgb, bold = false): Promise<void> {
    const { overlay, height } = await textOverlay(content, points, colour, bold, PANEL_WIDTH);
    this.add(overlay, 0, 0);
    this.bottom += height;
  }

  /** A short text on one line whose left end, middle or right end lies at `x`; the column stays where it is. */
  async label(content: string, x: number, dy: number, align: 0 | 0.5 | 1): Promise<void> {
    const { overlay, width } = await textOverlay(content, 9, INK, false, null);
    this.add(overlay, Math.min(PANEL_WIDTH - width, Math.max(0, x - align * width)), dy);
  }

  rectangle(x: number, dy: number, width: number, height: number, [r, g, b]: Rgb): void {
    const background = { r, g, b };
    this.add({ input: { create: { width, height, channels: 3, background } } }, x, dy);
  }
}

async function textOverlay(content: string, points: number, colour: Rgb, bold: boolean, wrapPx: number | null) {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const hex = colour.map((c) => c.toString(16).padStart(2, '0')).join('');
  const { normal, bold: boldFile } = REPORT_FONTS[BODY_FONT];
  const { data, info } = await sharp({
    text: {
      text: `<span foreground="#${hex}">${escaped}</span>`,
      font: `DejaVu Sans Condensed${bold ? ' Bold' : ''} ${points}`,
      fontfile: bold ? boldFile : normal,
      dpi: 120,
      rgba: true,
      ...(wrapPx === null ? {} : { width: wrapPx, wrap: 'word-char' as const }),
    },
  })
    .png()
    .toBuffer({ resolveWithObject: true });
  return { overlay: { input: data }, width: info.width, height: info.height };
}

const ROW = 24;
const COMPONENTS: readonly Rgb[] = [
  [214, 39, 40],
  [44, 140, 44],
  [31, 88, 200],
];

async function drawColours(panel: Panel, description: MapDescription, colourMap: ColourMapName): Promise<void> {
  if (description.channels === 3) {
    const rows = ['Red', 'Green', 'Blue'].map((name, i) => ({
      rgb: COMPONENTS[i] ?? INK,
      label: `${name}: component ${i + 1}`,
      figure: percentText(description.varianceShare[i] ?? 0),
    }));
    await drawRows(panel, rows);
  } else if (description.categories.length > 0) {
    await drawRows(
      panel,
      description.categories.map(({ label, rgb, tileCount }) => ({ label, rgb, figure: grouped(tileCount) })),
    );
  } else {
    await drawBar(panel, description.range, colourMap);
  }
}

async function drawRows(
  panel: Panel,
  rows: readonly { readonly rgb: Rgb; readonly label: string; readonly figure: string }[],
): Promise<void> {
  for (const { rgb, label, figure } of rows) {
    panel.rectangle(0, 0, 16, 16, rgb);
    await panel.label(label, 26, 1, 0);
    await panel.label(figure, PANEL_WIDTH, 1, 1);
    panel.skip(ROW);
  }
}

async function drawBar(panel: Panel, [min, max]: readonly [number, number], colourMap: ColourMapName): Promise<void> {
  const raw = { width: 256, height: 1, channels: 3 as const };
  const bar = await sharp(colourTable(colourMap), { raw }).resize(PANEL_WIDTH, 18, { fit: 'fill' }).png().toBuffer();
  panel.add({ input: bar }, 0, 0);
  for (const tick of legendTicks(min, max)) {
    const x = normalised(tick, min, max) * (PANEL_WIDTH - 1);
    panel.rectangle(x, 18, 1, 5, INK);
    await panel.label(rounded(tick), x, 26, 0.5);
  }
  panel.skip(42);
}

async function drawScaleBar(panel: Panel, input: LegendFigureInput, figureWidthPx: number): Promise<void> {
  const bar = scaleBar(input.slideWidthPx * input.mppUm, Math.min(0.3, (0.6 * PANEL_WIDTH) / figureWidthPx));
  if (bar === null) return;
  const width = Math.max(2, Math.round(bar.share * figureWidthPx));
  panel.rectangle(0, 6, width, 2, INK);
  panel.rectangle(0, 2, 1, 10, INK);
  panel.rectangle(width - 1, 2, 1, 10, INK);
  await panel.label(bar.label, width + 10, 1, 0);
  panel.skip(16);
}
