import { describe, expect, it } from 'vitest';
import { asId, type SlideId } from '../../../src-shared/model/ids.ts';
import { emptyTable, guessColumns, matchLabels, parseTable } from './label-table.ts';

const slide = (name: string, digit: string) => ({ id: asId<SlideId>(digit.repeat(64)), name });
const SLIDES = [slide('A-01.svs', 'a'), slide('B.02.ome.tiff', 'b'), slide('twin.tif', 'c'), slide('twin.svs', 'd')];
const match = (text: string) => {
  const table = parseTable(text);
  return matchLabels(table, guessColumns(table.header), SLIDES);
};

describe('reading a pasted table', () => {
  it.each([
    ['commas', 'case_id,slide_id,label\np1,A-01,tumour\n'],
    ['semicolons and Windows line ends', 'case_id;slide_id;label\r\np1;A-01;tumour\r\n'],
    ['tabs, a byte-order mark and blank lines', '\uFEFFcase_id\tslide_id\tlabel\n\np1\tA-01\ttumour\n\n'],
  ])('takes %s', (_, text) => {
    expect(parseTable(text)).toEqual({ header: ['case_id', 'slide_id', 'label'], rows: [['p1', 'A-01', 'tumour']] });
  });

  it('keeps delimiters, quotes and line ends inside quotes', () => {
    expect(parseTable('slide,label\n"a, ""b"".svs","x\ny"').rows).toEqual([['a, "b".svs', 'x\ny']]);
  });

  it('fills short rows and ends with an unclosed quote', () => {
    expect(parseTable('slide,label,site\na,x\n"b').rows).toEqual([
      ['a', 'x', ''],
      ['b', '', ''],
    ]);
  });

  it('has nothing to say of empty text', () => {
    expect(parseTable(' \n')).toEqual({ header: [], rows: [] });
  });
});

describe('guessing columns', () => {
  it('knows the common names', () => {
    expect(guessColumns(['Label', 'Slide_ID', 'Case_ID'])).toEqual({ slide: 1, patient: 2, label: 0, site: -1 });
  });

  it('takes the first free column as label, and never the row numbers of pandas', () => {
    expect(guessColumns(['Unnamed: 0', 'filename', 'msi', 'site'])).toEqual({
      slide: 1,
      patient: -1,
      label: 2,
      site: 3,
    });
    expect(guessColumns(['slide', 'site'])).toEqual({ slide: 0, patient: -1, label: 1, site: -1 });
  });
});

describe('finding the slides a table names', () => {
  it('knows patients from slides that stand in their place', () => {
    const patients = (rows: string) => match(`case_id,slide_id,label\n${rows}`).rows.map(({ patient }) => patient);
    expect(patients('A,A-01.svs,x\nA,B.02,y\n')).toEqual(['A', 'A']);
    expect(patients('A-01,A-01.svs,x\nA-01,B.02,y\n')).toEqual(['A-01', 'A-01']);
    expect(patients('A-01,A-01.svs,x\nB.02,B.02,y\n')).toEqual(['', '']);
  });

  it('takes names with or without ending, paths, other case and ids', () => {
    const names = ['a-01', '/data/x/A-01.svs', 'C:\\slides\\b.02.OME.TIFF', 'B.02', 'aaaaaaaa'];
    for (const name of names) {
      expect(match(`slide_id,label\n${name},x`).rows, name).toHaveLength(1);
    }
  });

  it('names what fits no slide, and what fits two', () => {
    const { rows, unknown, ambiguous } = match('slide_id,label\nnowhere.svs,x\ntwin,y\ntwin.svs,z');
    expect(unknown).toEqual(['nowhere.svs']);
    expect(ambiguous).toEqual(['twin']);
    expect(rows.map(({ slideName, label }) => [slideName, label])).toEqual([['twin.svs', 'z']]);
  });

  it('takes a repeated row once and refuses one that contradicts', () => {
    expect(match('slide_id,label\nA-01,x\nA-01.svs,x')).toMatchObject({ contradicted: [], rows: [{ label: 'x' }] });
    expect(match('slide_id,label\nA-01,x\nA-01.svs,y').contradicted).toEqual(['A-01.svs']);
  });

  it('reads its own empty table back', () => {
    const names = ['A-01.svs', 'with, comma.svs'];
    expect(parseTable(emptyTable(names)).rows.map(([, name]) => name)).toEqual(names);
  });
});

describe('columns that are neither slide, label, patient nor site', () => {
  it('go with their slide, empty cells and the row numbers of pandas left out', () => {
    const { rows } = match('Unnamed: 0,slide_id,label,age,sex\n0,A-01,tumour,61,\n1,twin.svs,normal,,\n');
    expect(rows.map(({ columns }) => columns)).toEqual([{ age: '61' }, undefined]);
  });
});
