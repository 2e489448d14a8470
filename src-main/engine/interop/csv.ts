import { AppError } from '../../../src-shared/errors.ts';

/** Rows of fields. */
export type CsvTable = readonly (readonly string[])[];

const DELIMITERS = [',', ';', '\t'] as const;

/** The delimiter of a table: the one most frequent in its first line, outside quotes. */
function delimiterOf(text: string): string {
  const line = /^(?:"(?:[^"]|"")*"|[^"\n])*/.exec(text)?.[0] ?? '';
  const bare = line.replaceAll(/"(?:[^"]|"")*"/g, '');
  const counts = DELIMITERS.map((delimiter) => bare.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ',';
}

/**
 * Reads CSV as RFC 4180 describes it, with what spreadsheets do to it: a byte-order mark, any line ends, semicolons or
 * tabs as delimiters. Lines without any text are left out.
 * @throws AppError InvalidRequest for a quote that is never closed.
 */
export function parseCsv(text: string): CsvTable {
  const body = text.replace(/^\uFEFF/, '');
  const delimiter = delimiterOf(body);
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  const endRow = (): void => {
    if (row.some((field) => field.trim() !== '')) rows.push(row);
    row = [];
  };
  while (at < body.length) {
    const { field, next } = readField(body, at, delimiter, rows.length + 1);
    row.push(field);
    at = next;
    if (body[at] === delimiter) {
      at++;
      if (at === body.length) row.push('');
    } else {
      if (body[at] === '\r') at++;
      if (body[at] === '\n') at++;
      endRow();
    }
  }
  endRow();
  return rows;
}

function readField(text: string, start: number, delimiter: string, rowNumber: number): { field: string; next: number } {
  if (text[start] !== '"') {
    let end = start;
    while (end < text.length && text[end] !== delimiter && text[end] !== '\n' && text[end] !== '\r') end++;
    return { field: text.slice(start, end), next: end };
  }
  let field = '';
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== '"') field += text[at];
    else if (text[at + 1] === '"') {
      field += '"';
      at++;
    } else return { field, next: at + 1 };
  }
  throw new AppError('InvalidRequest', `A quote in row ${rowNumber} of the table is never closed.`);
}

/** One line of CSV (without its end): fields with a comma, quote or line end are quoted. */
export function csvLine(fields: readonly (string | number)[]): string {
  return fields
    .map((field) => {
      const text = String(field);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    })
    .join(',');
}
