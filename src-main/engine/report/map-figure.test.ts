import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { asId, type RunId } from '../../../src-shared/model/ids.ts';
import type { MapDescription } from '../../../src-shared/model/map.ts';
import { renderFigureWithLegend } from './figure-legend.ts';
import { composeMapFigure, type Figure, type MapFigureInput, renderMapFigure } from './map-figure.ts';
import { plainImage, testGrid, testMaps } from './testing.ts';

const description: MapDescription = {
  runId: asId<RunId>('r'),
  spec: { kind: 'clusters', k: 2, seed: 1 },
  columns: 3,
  rows: 2,
  strideLevel0Px: 33.4,
  tileLevel0Px: 33.4,
  channels: 1,
  range: [0, 1],
  categories: [
    { label: 'A', rgb: [255, 0, 0], tileCount: 3 },
    { label: 'B', rgb: [0, 0, 255], tileCount: 2 },
  ],
  legend: '',
  explanation: '',
  varianceShare: [],
  query: null,
};

async function figureInput(edits: Partial<MapFigureInput> = {}): Promise<MapFigureInput> {
  return {
    thumbnail: await plainImage(60, 40, '#ffffff'),
    slideWidthPx: 120,
    slideHeightPx: 80,
    description,
    values: Float32Array.of(0, 1, 0, Number.NaN, 0, 1),
    colourMap: 'inferno',
    maxPx: 120,
    opacity: 1,
    ...edits,
  };
}

const at = (figure: Figure, x: number, y: number) =>
  Array.from(figure.rgb.subarray(3 * (y * figure.widthPx + x), 3 * (y * figure.widthPx + x) + 3));

/** First and last x of each run of one colour along a row. */
function runs(figure: Figure, y: number): readonly string[] {
  const out: string[] = [];
  for (let x = 0, start = 0; x < figure.widthPx; x++) {
    const here = at(figure, x, y).join();
    if (x + 1 === figure.widthPx || at(figure, x + 1, y).join() !== here) {
      out.push(`${start}-${x} ${here}`);
      start = x + 1;
    }
  }
  return out;
}

describe('composeMapFigure', () => {
  it('puts every tile where the grid has it: round(c x stride), float stride, no seams', async () => {
    const figure = await composeMapFigure(await figureInput());
    expect(runs(figure, 10)).toEqual(['0-32 255,0,0', '33-66 0,0,255', '67-99 255,0,0', '100-119 255,255,255']);
    expect(runs(figure, 40)).toEqual(['0-32 255,255,255', '33-66 255,0,0', '67-99 0,0,255', '100-119 255,255,255']);
    expect(at(figure, 40, 32)).toEqual([0, 0, 255]);
    expect(at(figure, 40, 33)).toEqual([255, 0, 0]);
    expect(at(figure, 40, 67)).toEqual([255, 255, 255]);
  });

  it('scales to the figure: half the size, half the places', async () => {
    const figure = await composeMapFigure(await figureInput({ maxPx: 60 }));
    expect([figure.widthPx, figure.heightPx]).toEqual([60, 40]);
    expect(runs(figure, 5)).toEqual(['0-16 255,0,0', '17-33 0,0,255', '34-49 255,0,0', '50-59 255,255,255']);
  });

  it('lets the grey slide through, and only grey', async () => {
    const thumbnail = await plainImage(120, 80, '#ff8800');
    const figure = await composeMapFigure(await figureInput({ thumbnail, opacity: 0.5 }));
    const [r = 0, g = 0, b = 0] = at(figure, 110, 5);
    expect(r === g && g === b).toBe(true);
    expect(at(figure, 5, 5)).toEqual([Math.round(r + 0.5 * (255 - r)), Math.round(g / 2), Math.round(b / 2)]);
  });

  it('averages overlapping tiles', async () => {
    const overlapping = { ...description, tileLevel0Px: 50.1 };
    const figure = await composeMapFigure(await figureInput({ description: overlapping }));
    expect(at(figure, 10, 10)).toEqual([255, 0, 0]);
    expect(at(figure, 40, 10)).toEqual([128, 0, 128]);
  });

  it('frames the chosen tile without leaving the picture', async () => {
    const query = { index: 0, column: 0, row: 0, x0Px: 0, y0Px: 0, sizeLevel0Px: 33.4 };
    const figure = await composeMapFigure(await figureInput({ description: { ...description, query } }));
    expect(at(figure, 34, 10)).toEqual([0, 0, 0]);
    expect(at(figure, 33, 10)).toEqual([255, 255, 255]);
    expect(at(figure, 10, 10)).toEqual([255, 0, 0]);
  });

  it('encodes as PNG of the same pixels', async () => {
    const input = await figureInput();
    const { data, info } = await sharp(await renderMapFigure(input))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([120, 80, 3]);
    expect(new Uint8Array(data)).toEqual((await composeMapFigure(input)).rgb);
  });
});

describe('renderFigureWithLegend', () => {
  it.each(testMaps(testGrid()))('stands by itself ($description.spec.kind)', async (map) => {
    const input = {
      ...(await figureInput({ slideWidthPx: 1400, slideHeightPx: 1000, maxPx: 300 })),
      ...map,
      mppUm: 0.5,
      notice: 'For research use only.',
    };
    const png = await renderFigureWithLegend(input);
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect(info.width).toBeGreaterThan(600);
    expect(info.channels).toBe(3);
    const inked = (x0: number, x1: number) => {
      for (let y = 0; y < info.height; y++) {
        for (let x = x0; x < x1; x++) if ((data[3 * (y * info.width + x)] ?? 255) < 100) return true;
      }
      return false;
    };
    expect(inked(350, info.width - 20)).toBe(true);
    expect(inked(info.width - 20, info.width)).toBe(false);
  });
});
