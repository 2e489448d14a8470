import type { Content } from 'pdfmake/interfaces.js';
import { BODY_FONT } from './fonts.ts';
import { mapLegend } from './legend.ts';
import type { ReportGallery, ReportInput, ReportMap, ReportTile } from './report-input.ts';
import { COLOUR, CONTENT_WIDTH, SIZE } from './report-style.ts';
import { scaleBar } from './scale-bar.ts';
import { grouped, scoreTexts } from './wording.ts';

export function sectionTitle(text: string): Content {
  return {
    text,
    font: BODY_FONT,
    fontSize: SIZE.section,
    bold: true,
    color: COLOUR.ink,
    margin: [0, 12, 0, 5],
    headlineLevel: 1,
    outline: true,
  };
}

export function bodyText(text: string): Content {
  return { text, fontSize: SIZE.body, lineHeight: 1.22, margin: [0, 0, 0, 4] };
}

/** The largest size of a picture of the slide that fits a box, proportions kept. Points. */
export function fitted(
  widthPx: number,
  heightPx: number,
  boxWidth: number,
  boxHeight: number,
): { readonly width: number; readonly height: number } {
  const scale = Math.min(boxWidth / widthPx, boxHeight / heightPx);
  return { width: Math.max(1, widthPx * scale), height: Math.max(1, heightPx * scale) };
}

/** A picture of the whole slide with a thin border and a scale bar below it. */
export function slidePicture(input: ReportInput, dataUrl: string, boxWidth: number, boxHeight: number): Content {
  const { widthPx, heightPx } = input.slide.info;
  const { width, height } = fitted(widthPx, heightPx, boxWidth, boxHeight);
  const bar = scaleBar(widthPx * input.run.provenance.mppUm, width < 120 ? 0.5 : 0.3);
  const frame: Content = {
    canvas: [{ type: 'rect', x: 0, y: 0, w: width, h: height, lineWidth: 0.5, lineColor: COLOUR.rule }],
    relativePosition: { x: 0, y: 0 },
  };
  const below: Content[] = bar === null ? [] : [scaleBarContent(bar.share * width, bar.label)];
  return { stack: [frame, { image: dataUrl, width, height }, ...below] };
}

/** A bar with end strokes, its length written beside it. */
function scaleBarContent(width: number, label: string): Content {
  const line = { type: 'line' as const, lineWidth: 1.2, lineColor: COLOUR.ink };
  return {
    columns: [
      {
        width: width + 4,
        canvas: [
          { ...line, x1: 0, y1: 4, x2: width, y2: 4 },
          { ...line, lineWidth: 0.8, x1: 0.4, y1: 1, x2: 0.4, y2: 7 },
          { ...line, lineWidth: 0.8, x1: width - 0.4, y1: 1, x2: width - 0.4, y2: 7 },
        ],
      },
      { width: 'auto', text: label, fontSize: SIZE.small, color: COLOUR.ink },
    ],
    columnGap: 3,
    margin: [0, 5, 0, 0],
  };
}

const FIGURE_WIDTH = 318;
const FIGURE_HEIGHT = 275;
const GAP = 18;

/** A map with its legend and what it means: kept together on one page. */
export function mapSection(input: ReportInput, map: ReportMap, dataUrl: string, number: number): Content {
  const { description } = map;
  const { widthPx, heightPx } = input.slide.info;
  const { width } = fitted(widthPx, heightPx, FIGURE_WIDTH, FIGURE_HEIGHT);
  const legendWidth = CONTENT_WIDTH - Math.max(width, 150) - GAP;
  const notes = [
    'Drawn over the slide in grey; cells without a tile show the slide alone.',
    ...(description.query === null ? [] : ['The frame marks the chosen tile.']),
  ];
  return {
    stack: [
      sectionTitle(`Map ${number}. ${mapTitle(map)}`),
      {
        columns: [
          { width: Math.max(width, 150), stack: [slidePicture(input, dataUrl, FIGURE_WIDTH, FIGURE_HEIGHT)] },
          {
            width: '*',
            stack: [
              { text: description.legend, bold: true, fontSize: SIZE.small + 0.5, margin: [0, 0, 0, 6] },
              mapLegend(description, map.colourMap, Math.min(legendWidth, 190)),
              { text: description.explanation, fontSize: SIZE.small + 0.5, lineHeight: 1.2, margin: [0, 8, 0, 6] },
              { text: notes.join(' '), fontSize: SIZE.small, lineHeight: 1.2, color: COLOUR.quiet },
            ],
          },
        ],
        columnGap: GAP,
      },
    ],
    unbreakable: true,
    margin: [0, 0, 0, 8],
  };
}

export function mapTitle({ description }: Pick<ReportMap, 'description'>): string {
  switch (description.spec.kind) {
    case 'pca':
      return 'Principal components of the features';
    case 'clusters':
      return `Clusters of similar tiles (k = ${description.spec.k}, seed ${description.spec.seed})`;
    case 'similarity':
      return `Likeness to tile ${grouped(description.spec.tileIndex)}`;
    case 'attention':
      return description.legend;
  }
}

const TILES_PER_ROW = 6;
const TILE_GAP = 9;
const TILE_SIDE = (CONTENT_WIDTH - TILE_GAP * (TILES_PER_ROW - 1)) / TILES_PER_ROW;

/** Tiles in rows of six with rank, score and place; the title stays with the first row. */
export function gallerySection(gallery: ReportGallery, dataUrls: readonly string[]): Content {
  const rows: Content[] = [];
  const scores = scoreTexts(gallery.tiles.map(({ score }) => score));
  for (let first = 0; first < gallery.tiles.length; first += TILES_PER_ROW) {
    const cells = gallery.tiles.slice(first, first + TILES_PER_ROW).map((tile, i) => {
      return tileCell(tile, scores[first + i] ?? '', dataUrls[first + i] ?? '', first + i + 1);
    });
    rows.push({ columns: cells, columnGap: TILE_GAP, unbreakable: true, margin: [0, 0, 0, 8] } as Content);
  }
  const [firstRow, ...others] = rows;
  return [
    {
      stack: [
        sectionTitle(gallery.title),
        bodyText(gallery.explanation),
        firstRow ?? { text: 'There is no such tile.', fontSize: SIZE.body, color: COLOUR.quiet },
      ],
      unbreakable: true,
    },
    ...others,
  ];
}

function tileCell({ tile }: ReportTile, score: string, dataUrl: string, rank: number): Content {
  return {
    width: TILE_SIDE,
    stack: [
      {
        canvas: [{ type: 'rect', x: 0, y: 0, w: TILE_SIDE, h: TILE_SIDE, lineWidth: 0.5, lineColor: COLOUR.rule }],
        relativePosition: { x: 0, y: 0 },
      },
      { image: dataUrl, width: TILE_SIDE, height: TILE_SIDE },
      {
        columns: [
          { text: `${rank}`, bold: true, fontSize: SIZE.small, width: 'auto' },
          { text: score, fontSize: SIZE.small, alignment: 'right', width: '*' },
        ],
        margin: [0, 3, 0, 0],
      },
      { text: `tile ${grouped(tile.index)}`, fontSize: SIZE.tiny, color: COLOUR.quiet },
      { text: `x ${grouped(tile.x0Px)}  y ${grouped(tile.y0Px)} px`, fontSize: SIZE.tiny, color: COLOUR.quiet },
    ],
  } as Content;
}
