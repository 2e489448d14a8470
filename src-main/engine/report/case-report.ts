import pdfmake from 'pdfmake';
import type { Content, TDocumentDefinitions } from 'pdfmake/interfaces.js';
import sharp from 'sharp';
import { AppError } from '../../../src-shared/errors.ts';
import { BODY_FONT, isReportFont, REPORT_FONTS } from './fonts.ts';
import { renderMapFigure } from './map-figure.ts';
import {
  type Fact,
  factGroups,
  factTable,
  pixelSizeText,
  plainValue,
  slideSizeText,
  tilesText,
} from './provenance-table.ts';
import type { ReportInput } from './report-input.ts';
import { bodyText, gallerySection, mapSection, sectionTitle, slidePicture } from './report-sections.ts';
import { COLOUR, CONTENT_WIDTH, PAGE, SIZE } from './report-style.ts';
import { bodyTextMeasure, printable, type TextMeasure, userText } from './report-text.ts';
import { dateText, originText } from './wording.ts';

/** Longer side of a figure: about 240 dpi in the size it is printed at. */
const FIGURE_PX = 960;
const THUMBNAIL_PX = 900;
/** How strongly a map covers the grey slide under it. */
const MAP_OPACITY = 0.72;

pdfmake.setFonts(REPORT_FONTS);
pdfmake.setUrlAccessPolicy(() => false);
pdfmake.setLocalAccessPolicy(isReportFont);

/**
 * The report of one case as PDF (A4). A function of its input alone: the same input gives the same bytes, dates and
 * file identifier included (they come from `createdAtMs`). Reads no file but its fonts, uses no network.
 * @throws AppError InvalidRequest where an image cannot be read.
 */
export async function renderCaseReport(input: ReportInput): Promise<Uint8Array> {
  const measure = await bodyTextMeasure();
  const pictures = await renderPictures(input);
  const content: Content[] = [
    titleBlock(input, measure),
    noticeBox(input.notice),
    summary(input, pictures.thumbnail, measure),
    ...remarks(input.remarks, measure),
    howToRead(input),
    ...input.maps.map((map, i) => mapSection(input, map, pictures.maps[i] ?? '', i + 1)),
    ...input.galleries.map((gallery, i) => gallerySection(gallery, pictures.galleries[i] ?? [])),
    ...madeBy(input, measure),
  ];
  const pdf = await pdfmake.createPdf(documentDefinition(input, content)).getBuffer();
  return new Uint8Array(pdf);
}

function documentDefinition(input: ReportInput, content: Content[]): TDocumentDefinitions {
  const date = new Date(input.createdAtMs);
  return {
    content,
    pageSize: 'A4',
    pageMargins: [PAGE.marginX, PAGE.marginTop, PAGE.marginX, PAGE.marginBottom],
    defaultStyle: { font: BODY_FONT, fontSize: SIZE.body, color: COLOUR.ink },
    header: (page) => (page === 1 ? null : runningHead(input)),
    footer: (page, pages) => footer(input, page, pages),
    version: '1.7',
    language: 'en',
    displayTitle: true,
    info: {
      title: 'Slide analysis report',
      subject: input.notice,
      creator: `Hyaline ${input.appVersion}`,
      producer: 'Hyaline, with pdfmake',
      creationDate: date,
      modDate: date,
    },
  };
}

function runningHead(input: ReportInput): Content {
  return {
    columns: [
      { text: 'Hyaline slide analysis report', width: '*' },
      { text: `Slide ${input.run.slideId.slice(0, 12)}`, width: 'auto' },
    ],
    fontSize: SIZE.small,
    color: COLOUR.quiet,
    margin: [PAGE.marginX, 28, PAGE.marginX, 0],
  };
}

function footer(input: ReportInput, page: number, pages: number): Content {
  const rule = {
    type: 'line' as const,
    x1: 0,
    y1: 0,
    x2: CONTENT_WIDTH,
    y2: 0,
    lineWidth: 0.5,
    lineColor: COLOUR.rule,
  };
  return {
    stack: [
      { canvas: [rule], margin: [0, 0, 0, 5] },
      {
        columns: [
          { text: input.notice, bold: true, width: '*' },
          { text: `Page ${page} of ${pages}`, width: 'auto' },
        ],
        columnGap: 12,
        fontSize: SIZE.small,
        color: COLOUR.quiet,
      },
    ],
    margin: [PAGE.marginX, 14, PAGE.marginX, 0],
  };
}

function titleBlock(input: ReportInput, measure: TextMeasure): Content {
  const heading = printable(input.heading);
  const line = `Slide analysis report · ${dateText(input.createdAtMs)} · Hyaline ${input.appVersion}`;
  const title: Content =
    heading === ''
      ? { text: 'Slide analysis report', fontSize: SIZE.title, bold: true }
      : userText(heading, { fontSize: SIZE.title, bold: true }, CONTENT_WIDTH, measure);
  const subtitle = heading === '' ? line.replace('Slide analysis report · ', '') : line;
  return {
    stack: [
      title,
      { text: subtitle, fontSize: SIZE.body, color: COLOUR.quiet, margin: [0, 3, 0, 0] },
      {
        canvas: [{ type: 'line', x1: 0, y1: 0, x2: CONTENT_WIDTH, y2: 0, lineWidth: 1.5, lineColor: COLOUR.accent }],
        margin: [0, 8, 0, 10],
      },
    ],
  };
}

function noticeBox(notice: string): Content {
  return {
    table: {
      widths: ['*'],
      body: [[{ text: notice, bold: true, fontSize: SIZE.body, fillColor: COLOUR.noticeGround }]],
    },
    layout: {
      hLineWidth: () => 0,
      vLineWidth: (column) => (column === 0 ? 3 : 0),
      vLineColor: () => COLOUR.noticeRule,
      paddingLeft: () => 9,
      paddingTop: () => 5,
      paddingBottom: () => 5,
    },
    margin: [0, 0, 0, 12],
  };
}

/** The slide at a glance: its picture, and beside it what was looked at by what. */
function summary(input: ReportInput, thumbnail: string, measure: TextMeasure): Content {
  const { provenance } = input.run;
  const facts: Fact[] = [
    { label: 'Slide', value: `${input.run.slideId.slice(0, 16)}…`, mono: true },
    { label: 'Size', value: slideSizeText(input) },
    { label: 'Pixel size', value: pixelSizeText(input) },
    { label: 'Tiles', value: tilesText(input) },
    { label: 'Backbone', value: `${provenance.backboneName}: ${originText(provenance.backboneOrigin)}` },
    { label: 'Cut', value: provenance.cut },
    { label: 'Device', value: provenance.device },
  ];
  if (input.includeSlideName) facts.unshift({ label: 'File name', value: input.slide.name });
  const width = 214;
  const factWidth = CONTENT_WIDTH - width - 18 - 58;
  return {
    columns: [
      { width, stack: [slidePicture(input, thumbnail, width, 240)] },
      { width: '*', stack: [factTable({ title: 'At a glance', facts }, 52, factValue(factWidth, measure))] },
    ],
    columnGap: 18,
    margin: [0, 0, 0, 4],
  };
}

/** Names may be in any script; everything else is ours and plain. */
function factValue(widthPt: number, measure: TextMeasure): (fact: Fact) => Content {
  return (fact) =>
    fact.mono === true
      ? plainValue(fact)
      : userText(fact.value, { fontSize: SIZE.small + 0.5, alignment: 'left' }, widthPt, measure);
}

function remarks(text: string, measure: TextMeasure): readonly Content[] {
  const clean = printable(text);
  if (clean === '') return [];
  return [
    {
      stack: [
        sectionTitle('Remarks of the user'),
        userText(clean, { fontSize: SIZE.body, lineHeight: 1.25 }, CONTENT_WIDTH, measure),
        {
          text: 'Written by the person who made this report; not a result of the analysis.',
          fontSize: SIZE.small,
          color: COLOUR.quiet,
          margin: [0, 4, 0, 0],
        },
      ],
    },
  ];
}

/** What a reader must know before looking at a map. */
function howToRead(input: ReportInput): Content {
  const { backboneOrigin, backboneName } = input.run.provenance;
  const sentences = [
    `The slide was cut into tiles, and a neural network, the backbone ${backboneName}, turned every tile into a list of ` +
      'numbers, its features. Maps and tile lists compare these features within this slide.',
    'No label, drawn annotation or diagnosis went into them, and none comes out: a map shows which tiles look alike to ' +
      'the backbone, not where disease is. Values of different slides or backbones cannot be compared.',
  ];
  if (backboneOrigin === 'random') {
    sentences.push(
      'This backbone has random weights: it was never trained. What it sees is hardly more than colour and texture, and ' +
        'it serves as a control for backbones that were.',
    );
  }
  return { stack: [sectionTitle('How to read this report'), ...sentences.map(bodyText)], unbreakable: true };
}

function madeBy(input: ReportInput, measure: TextMeasure): readonly Content[] {
  const labelWidth = 84;
  const valueWidth = CONTENT_WIDTH - labelWidth - 12;
  const tables = factGroups(input).map((group) => factTable(group, labelWidth, factValue(valueWidth, measure)));
  const [first, ...others] = tables;
  return [
    {
      stack: [sectionTitle('What made this report'), first ?? ''],
      unbreakable: true,
    },
    ...others,
  ];
}

interface Pictures {
  readonly thumbnail: string;
  readonly maps: readonly string[];
  readonly galleries: readonly (readonly string[])[];
}

async function renderPictures(input: ReportInput): Promise<Pictures> {
  const { widthPx, heightPx } = input.slide.info;
  try {
    const maps: string[] = [];
    for (const map of input.maps) {
      const figure = await renderMapFigure({
        ...map,
        thumbnail: input.thumbnail,
        slideWidthPx: widthPx,
        slideHeightPx: heightPx,
        maxPx: FIGURE_PX,
        opacity: MAP_OPACITY,
      });
      maps.push(dataUrl(figure, 'image/png'));
    }
    const galleries: string[][] = [];
    for (const { tiles } of input.galleries) {
      galleries.push(await Promise.all(tiles.map(({ image }) => jpegUrl(image, 224))));
    }
    return { thumbnail: await jpegUrl(input.thumbnail, THUMBNAIL_PX), maps, galleries };
  } catch (cause) {
    throw new AppError('InvalidRequest', 'A picture for the report could not be read.', {
      advice: 'Open the slide again, then export the report once more.',
      detail: String(cause),
      cause,
    });
  }
}

/** As JPEG of at most `maxPx` a side on white; an image that is small enough keeps its size. */
async function jpegUrl(image: Uint8Array, maxPx: number): Promise<string> {
  const bytes = await sharp(image)
    .flatten({ background: '#ffffff' })
    .resize(maxPx, maxPx, { fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 90, chromaSubsampling: '4:4:4' })
    .toBuffer();
  return dataUrl(bytes, 'image/jpeg');
}

function dataUrl(bytes: Uint8Array, mediaType: string): string {
  return `data:${mediaType};base64,${Buffer.from(bytes).toString('base64')}`;
}
