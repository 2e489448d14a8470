import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvLine, parseCsv } from './csv.ts';

describe('CSV', () => {
  it('reads back whatever it wrote, with any line ends', () => {
    const field = fc.string({ unit: fc.constantFrom('a', ',', ';', '\t', '"', '\n', '\r', ' ', 'é', '0') });
    const rows = fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(rows, fc.constantFrom('\n', '\r\n'), fc.boolean(), (table, end, closed) => {
        const kept = [['x', 'y', 'z'], ...table];
        const text = kept.map(csvLine).join(end) + (closed ? end : '');
        expect(parseCsv(text)).toEqual(kept.filter((row) => row.some((cell) => cell.trim() !== '')));
      }),
    );
  });

  it('reads what spreadsheets make of it', () => {
    expect(parseCsv('\uFEFFslide;mpp\r\na.svs;0,25\r\n;\r\n\r\n')).toEqual([
      ['slide', 'mpp'],
      ['a.svs', '0,25'],
    ]);
    expect(parseCsv('"a,b"\tc\n1\t')).toEqual([
      ['a,b', 'c'],
      ['1', ''],
    ]);
    expect(parseCsv('')).toEqual([]);
  });

  it('says where a quote is not closed', () => {
    expect(() => parseCsv('a,b\n1,"x\n')).toThrow(/row 2/);
  });
});
