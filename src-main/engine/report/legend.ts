import type { Content } from 'pdfmake/interfaces.js';
import type { MapDescription } from '../../../src-shared/model/map.ts';
import { type ColourMapName, colourMapRgb, type Rgb } from '../../../src-shared/numeric/colour-maps.ts';
import { legendTicks, normalised } from '../../../src-shared/numeric/map-raster.ts';
import { BODY_FONT } from './fonts.ts';
import { COLOUR, SIZE } from './report-style.ts';
import { grouped, percentText, rounded } from './wording.ts';

/** The legend of a map for a column `widthPt` wide: a colour bar with values, a list of categories, or what RGB means. */
export function mapLegend(description: MapDescription, colourMap: ColourMapName, widthPt: number): Content {
  if (description.channels === 3) return componentList(description);
  if (description.categories.length > 0) return categoryList(description);
  return { svg: colourBarSvg(description.range, colourMap, widthPt), width: widthPt };
}

export function cssColour([r, g, b]: Rgb): string {
  return `#${[r, g, b].map((c) => c.toString(16).padStart(2, '0')).join('')}`;
}

const BAR_HEIGHT = 10;
const STOPS = 64;

/** Only ends and round values between them; a range without width has its one value in the middle. */
function colourBarSvg([min, max]: readonly [number, number], colourMap: ColourMapName, width: number): string {
  const stops = Array.from({ length: STOPS + 1 }, (_, i) => {
    const colour = cssColour(colourMapRgb(colourMap, i / STOPS));
    return `<stop offset="${i / STOPS}" stop-color="${colour}"/>`;
  });
  const margin = 12;
  const barWidth = width - 2 * margin;
  const ticks = legendTicks(min, max).map((value) => {
    const x = margin + normalised(value, min, max) * barWidth;
    return (
      `<line x1="${x}" y1="${BAR_HEIGHT}" x2="${x}" y2="${BAR_HEIGHT + 3}" stroke="${COLOUR.ink}" stroke-width="0.5"/>` +
      `<text x="${x}" y="${BAR_HEIGHT + 11}" font-family="${BODY_FONT}" font-size="${SIZE.small}" ` +
      `fill="${COLOUR.ink}" text-anchor="middle">${rounded(value)}</text>`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${BAR_HEIGHT + 15}" ` +
    `viewBox="0 0 ${width} ${BAR_HEIGHT + 15}"><defs><linearGradient id="bar">${stops.join('')}</linearGradient></defs>` +
    `<rect x="${margin}" y="0" width="${barWidth}" height="${BAR_HEIGHT}" fill="url(#bar)"/>${ticks.join('')}</svg>`
  );
}

function categoryList(description: MapDescription): Content {
  const total = description.categories.reduce((sum, { tileCount }) => sum + tileCount, 0);
  return {
    table: {
      widths: [10, '*', 'auto', 'auto'],
      body: description.categories.map(({ label, rgb, tileCount }) => [
        swatch(rgb),
        { text: label, fontSize: SIZE.small },
        { text: grouped(tileCount), fontSize: SIZE.small, alignment: 'right' },
        { text: percentText(tileCount / Math.max(1, total)), fontSize: SIZE.small, alignment: 'right' },
      ]),
    },
    layout: LIST_LAYOUT,
  };
}

const COMPONENT_COLOURS: readonly Rgb[] = [
  [214, 39, 40],
  [44, 140, 44],
  [31, 88, 200],
];

function componentList(description: MapDescription): Content {
  const names = ['Red', 'Green', 'Blue'];
  return {
    table: {
      widths: [10, '*', 'auto'],
      body: names.map((name, i) => [
        swatch(COMPONENT_COLOURS[i] ?? [0, 0, 0]),
        { text: `${name}: component ${i + 1}`, fontSize: SIZE.small },
        {
          text: `${percentText(description.varianceShare[i] ?? 0)} of variance`,
          fontSize: SIZE.small,
          alignment: 'right',
        },
      ]),
    },
    layout: LIST_LAYOUT,
  };
}

const LIST_LAYOUT = {
  hLineWidth: () => 0,
  vLineWidth: () => 0,
  paddingLeft: (column: number) => (column === 0 ? 0 : 6),
  paddingRight: () => 0,
  paddingTop: () => 1.5,
  paddingBottom: () => 1.5,
};

function swatch(rgb: Rgb): Content {
  return { canvas: [{ type: 'rect', x: 0, y: 1, w: 9, h: 9, color: cssColour(rgb) }] };
}
