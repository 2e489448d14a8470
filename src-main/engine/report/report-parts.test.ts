import { describe, expect, it } from 'vitest';
import { bidiLines, hasRightToLeft } from './bidi-lines.ts';
import { factGroups } from './provenance-table.ts';
import { hasUnprintable, printable } from './report-text.ts';
import { runRecord } from './run-record.ts';
import { scaleBar } from './scale-bar.ts';
import { testGrid, testMaps, testReportInput } from './testing.ts';
import { tilesCsv } from './tiles-csv.ts';
import {
  areaText,
  bytesText,
  dateText,
  durationText,
  grouped,
  lengthText,
  originText,
  rounded,
  scoreTexts,
} from './wording.ts';

describe('bidiLines', () => {
  const width = (text: string) => text.length;
  const one = (text: string) => bidiLines(text, width, 1000)[0];

  it('draws Hebrew words from right to left, Latin and numbers inside them the other way', () => {
    expect(one('שלום ABC 12 עולם')).toEqual({
      pieces: ['עולם', ' ', '12', ' ', 'ABC', ' ', 'שלום'].toSpliced(2, 3, 'ABC', ' ', '12'),
      rightToLeft: true,
    });
  });

  it('turns brackets around with their text', () => {
    expect(one('(שלום)')?.pieces).toEqual(['(', 'שלום', ')']);
    expect(one('עור (בלוק A2)')?.pieces).toEqual(['(', 'A2', ' ', 'בלוק', ')', ' ', 'עור']);
  });

  it('leaves a Latin line with an Arabic word flowing from left to right', () => {
    const line = one('Skin جلد block');
    expect(line?.rightToLeft).toBe(false);
    expect(line?.pieces.join('')).toBe('Skin جلد block');
  });

  it('breaks lines before ordering them: the first words are on the first line', () => {
    const lines = bidiLines('אחת שתים שלוש ארבע', width, 9);
    expect(lines.map((line) => line.pieces)).toEqual([
      ['שתים', ' ', 'אחת'],
      ['ארבע', ' ', 'שלוש'],
    ]);
  });

  it('keeps every character of any text', () => {
    const text = 'א1(ב) – "ג" a,b  ד! [ה] é';
    const drawn = bidiLines(text, width, 1000)
      .flatMap((line) => line.pieces)
      .join('');
    const letters = (s: string) => [...s.replaceAll(/[\s()[\]]/g, '')].sort().join('');
    expect(letters(drawn)).toBe(letters(text));
    expect(hasRightToLeft('abc')).toBe(false);
  });
});

describe('printable', () => {
  it('drops what cannot be seen and keeps lines', () => {
    expect(printable('a\u0000b\u202ec\r\nd\te\u2028f ')).toBe('abc\nd e\nf');
  });
});

describe('hasUnprintable', () => {
  it('knows what the fonts hold', () => {
    expect(['Ångström µm²', 'Ελληνικά', 'Кожа', 'שלום', 'جلد', '≥ 5 – “x” … 10⁻³'].some(hasUnprintable)).toBe(false);
    expect(['皮膚', 'त्वचा', 'ok 😀'].every(hasUnprintable)).toBe(true);
  });
});

describe('tilesCsv', () => {
  const laid = testGrid();
  const csv = tilesCsv(laid, 0.4987, testMaps(laid));
  const lines = csv.split('\r\n');

  it('has one header, one line a tile, CRLF at each end', () => {
    expect(lines).toHaveLength(1 + 23 + 1);
    expect(lines.at(-1)).toBe('');
    expect(lines[0]).toBe(
      'tile_index,column,row,x0_px,y0_px,size_px,x0_um,y0_um,size_um,' +
        'pca_red,pca_green,pca_blue,cluster_k3_seed1,similarity_to_tile_7',
    );
  });

  it('puts a tile where the grid has it, in pixels and micrometres', () => {
    expect(lines[1]).toMatch(/^0,1,0,225,0,224\.5839,112\.2075,0,112,/);
    const cells = lines[8]?.split(',') ?? [];
    expect(cells.slice(0, 5)).toEqual(['7', '2', '1', '449', '225']);
    expect(cells.at(-1)).toBe('1');
    expect(new Set(lines.slice(1, -1).map((line) => line.split(',')[12]))).toEqual(new Set(['1', '2', '3']));
  });

  it('leaves cells empty where a map has no value, and gives repeated maps their own columns', () => {
    const [, , similarity] = testMaps(laid);
    if (similarity === undefined) throw new Error('no map');
    const none = { ...similarity, values: similarity.values.map(() => Number.NaN) };
    const twice = tilesCsv(laid, 0.5, [similarity, none]).split('\r\n');
    expect(twice[0]).toMatch(/similarity_to_tile_7,similarity_to_tile_7_2$/);
    expect(twice[3]).toMatch(/\d,$/);
  });
});

describe('runRecord', () => {
  it('holds what made the run, and no file name unless asked', async () => {
    const input = await testReportInput();
    const record = {
      ...input,
      maps: input.maps.map((map) => map.description),
    };
    const text = runRecord(record);
    const parsed = JSON.parse(text) as { provenance: unknown; maps: unknown[]; slide: object; createdAt: string };
    expect(parsed.provenance).toEqual(input.run.provenance);
    expect(parsed.maps).toHaveLength(3);
    expect(parsed.createdAt).toBe('2026-11-21T22:00:00.000Z');
    expect(text).not.toContain('JANE');
    expect(runRecord({ ...record, includeSlideName: true })).toContain('JANE-DOE-1950.svs');
    expect(runRecord(record)).toBe(text);
  });
});

describe('factGroups', () => {
  const colourOf = async (hasIccProfile: boolean, viewedThroughProfile: boolean): Promise<string> => {
    const input = await testReportInput({ viewedThroughProfile });
    const slide = { ...input.slide, info: { ...input.slide.info, hasIccProfile } };
    const facts = factGroups({ ...input, slide }).flatMap((group) => group.facts);
    return facts.find(({ label }) => label === 'Colour profile')?.value ?? '';
  };

  it('records whether the slide was viewed through its colour profile', async () => {
    expect(await colourOf(false, true)).toBe('none in the file');
    expect(await colourOf(true, true)).toContain('set to show the slide through it');
    expect(await colourOf(true, false)).toContain('did not apply it');
  });
});

describe('scaleBar', () => {
  it.each([
    [1107.8, '200 µm'],
    [40_000, '10 mm'],
    [9_000, '2 mm'],
    [10, '2 µm'],
  ])('fits %d µm with %s', (widthUm, label) => {
    const bar = scaleBar(widthUm);
    expect(bar?.label).toBe(label);
    expect((bar?.share ?? 0) * widthUm).toBeCloseTo(bar?.um ?? 0, 9);
    expect(bar?.share).toBeLessThanOrEqual(0.25);
    expect(bar?.share).toBeGreaterThan(0.1);
  });

  it('is none without a width', () => {
    expect(scaleBar(0)).toBeNull();
    expect(scaleBar(Number.NaN)).toBeNull();
  });
});

describe('wording', () => {
  it('says numbers as a reader expects them', () => {
    expect(grouped(1234567)).toBe('1\u202f234\u202f567');
    expect(rounded(-0.12345)).toBe('\u22120.123');
    expect(rounded(Number.NaN)).toBe('–');
    expect(lengthText(1500)).toBe('1.5 mm');
    expect(areaText(20_000)).toBe('20\u202f000 µm²');
    expect(bytesText(1_938_955)).toBe('1.94 MB');
    expect([durationText(12.34), durationText(125), durationText(7300)]).toEqual(['12.3 s', '2 min 5 s', '2 h 1 min']);
    expect(dateText(1_795_298_400_000)).toBe('21 November 2026, 22:00 UTC');
    expect(scoreTexts([0.98, -0.5])).toEqual(['0.980', '\u22120.500']);
    expect(scoreTexts([0.99931, 0.99922])).toEqual(['0.999310', '0.999220']);
    expect(scoreTexts([1, 1])).toEqual(['1.000', '1.000']);
    expect(originText('imagenet')).toContain('ImageNet');
    expect(originText('toString')).toBe('toString');
  });
});
