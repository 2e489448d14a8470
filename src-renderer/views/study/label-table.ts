import { namesPatients } from '../../../src-shared/model/case-name.ts';
import type { SlideId } from '../../../src-shared/model/ids.ts';

/** A table as it was pasted: the names of its columns, and its rows cut or filled to as many cells. */
export interface TextTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Which column says what; -1 = none. */
export interface LabelColumns {
  readonly slide: number;
  readonly patient: number;
  readonly label: number;
  readonly site: number;
}

export interface LabelledSlide {
  readonly slideId: SlideId;
  readonly slideName: string;
  /** Empty where the table names none. */
  readonly patient: string;
  /** Empty = left out of the study. */
  readonly label: string;
  /** Empty where the table names none. */
  readonly site: string;
  /** Cells of the other columns that are not empty, by column name; absent = none. */
  readonly columns?: Readonly<Record<string, string>>;
}

export interface MatchedLabels {
  readonly rows: readonly LabelledSlide[];
  /** Names of the table that fit no slide of the library. */
  readonly unknown: readonly string[];
  /** Names of the table that fit more than one slide. */
  readonly ambiguous: readonly string[];
  /** Slides that the table names twice with different labels or patients. */
  readonly contradicted: readonly string[];
}

/** What CLAM, TRIDENT, Patho-Bench, STAMP and plain tables call their columns; the first found is taken. */
const SLIDE_COLUMNS = ['slide_id', 'wsi', 'filename', 'slide', 'file', 'path', 'image'];
const PATIENT_COLUMNS = ['case_id', 'patient', 'patient_id', 'case', 'submitter_id'];
const SITE_COLUMNS = ['site', 'site_id', 'centre', 'center', 'hospital', 'institution', 'tissue_source_site'];
const LABEL_COLUMNS = ['label', 'class', 'diagnosis', 'target', 'y'];
const DELIMITERS = ['\t', ';', ','] as const;

/**
 * Reads a table with a header row as RFC 4180 has it, with commas, semicolons or tabs, whichever its first line holds
 * most of. A quote that is never closed ends with the text. Empty lines are left out.
 */
export function parseTable(text: string): TextTable {
  const body = text.replace(/^\uFEFF/, '');
  const delimiter = delimiterOf(body);
  const [header = [], ...rows] = readRecords(body, delimiter).filter((row) => row.some((cell) => cell !== ''));
  return { header, rows: rows.map((row) => header.map((_, i) => row[i] ?? '')) };
}

function delimiterOf(text: string): string {
  const [line = ''] = text.replaceAll(/"(?:[^"]|"")*"/g, '').split(/\r?\n/, 1);
  const counts = DELIMITERS.map((delimiter) => line.split(delimiter).length);
  const most = Math.max(...counts);
  return most > 1 ? (DELIMITERS[counts.indexOf(most)] ?? ',') : ',';
}

function readRecords(body: string, delimiter: string): string[][] {
  const records: string[][] = [];
  // One cell at a time: quoted or bare, then what ends it.
  const cell = new RegExp(
    `(?:"((?:[^"]|"")*)(?:"|$)|([^"${delimiter}\\r\\n][^${delimiter}\\r\\n]*)|)(${delimiter}|\\r?\\n|\\r|$)`,
    'y',
  );
  let record: string[] = [];
  for (let match = cell.exec(body); match !== null; match = cell.exec(body)) {
    record.push((match[1]?.replaceAll('""', '"') ?? match[2] ?? '').trim());
    if (match[3] !== delimiter) {
      records.push(record);
      record = [];
    }
    if (match[3] === '') break;
  }
  return records;
}

/** The columns a table most likely means: by name, the label else the first column that is nothing else. */
export function guessColumns(header: readonly string[]): LabelColumns {
  const lower = header.map((name) => name.toLowerCase());
  const find = (names: readonly string[]): number => lower.indexOf(names.find((name) => lower.includes(name)) ?? '\0');
  const [slide, patient, named] = [find(SLIDE_COLUMNS), find(PATIENT_COLUMNS), find(LABEL_COLUMNS)];
  const sited = find(SITE_COLUMNS);
  const free = header.findIndex(
    (name, i) => i !== slide && i !== patient && i !== sited && name !== '' && !/^unnamed:/i.test(name),
  );
  // A table whose only other column is called site is about sites.
  const label = named >= 0 ? named : free >= 0 ? free : sited;
  return { slide, patient, label, site: label === sited ? -1 : sited };
}

/**
 * Finds the library's slides that a table names: by file name with or without ending, by what is left of a path, or by
 * the start of the slide's id (8 digits or more). Case does not matter. A row that is repeated is taken once.
 */
export function matchLabels(
  table: TextTable,
  columns: LabelColumns,
  slides: readonly { readonly id: SlideId; readonly name: string }[],
): MatchedLabels {
  const byName = namesOf(slides);
  const hasPatients = namesPatients(
    table.rows.map((cells) => ({ slide: cells[columns.slide] ?? '', patient: cells[columns.patient] ?? '' })),
  );
  const rows = new Map<SlideId, LabelledSlide>();
  const unknown = new Set<string>();
  const ambiguous = new Set<string>();
  const contradicted = new Set<string>();
  for (const cells of table.rows) {
    const written = cells[columns.slide] ?? '';
    if (written === '') continue;
    const found = candidatesFor(written, byName, slides);
    const [slide] = found;
    if (slide === undefined) unknown.add(written);
    else if (found.length > 1) ambiguous.add(written);
    else {
      const values = valuesOf(table.header, cells, columns);
      const patient = hasPatients ? values.patient : '';
      const row = { slideId: slide.id, slideName: slide.name, ...values, patient };
      const known = rows.get(slide.id);
      if (known === undefined) rows.set(slide.id, row);
      else if (known.label !== row.label || known.patient !== row.patient) contradicted.add(written);
    }
  }
  return {
    rows: [...rows.values()],
    unknown: [...unknown],
    ambiguous: [...ambiguous],
    contradicted: [...contradicted],
  };
}

/** Row numbers that pandas writes say nothing. */
const ROW_NUMBER = /^(unnamed:.*)?$/i;

function valuesOf(header: readonly string[], cells: readonly string[], { slide, patient, label, site }: LabelColumns) {
  const others = header.flatMap((name, i) => {
    const value = cells[i] ?? '';
    return [slide, patient, label, site].includes(i) || ROW_NUMBER.test(name) || value === '' ? [] : [[name, value]];
  });
  return {
    patient: cells[patient] ?? '',
    label: cells[label] ?? '',
    site: cells[site] ?? '',
    ...(others.length > 0 && { columns: Object.fromEntries(others) as Record<string, string> }),
  };
}

type NamedSlide = { readonly id: SlideId; readonly name: string };

function namesOf(slides: readonly NamedSlide[]): ReadonlyMap<string, readonly NamedSlide[]> {
  const names = new Map<string, NamedSlide[]>();
  for (const slide of slides) {
    const whole = slide.name.toLowerCase();
    const bare = whole.replace(/\.[^.]*$/, '');
    for (const name of new Set([whole, bare, bare.replace(/\.ome$/, '')])) {
      names.set(name, [...(names.get(name) ?? []), slide]);
    }
  }
  return names;
}

function candidatesFor(
  written: string,
  byName: ReadonlyMap<string, readonly NamedSlide[]>,
  slides: readonly NamedSlide[],
): readonly NamedSlide[] {
  const name = (written.split(/[\\/]/).at(-1) ?? '').toLowerCase();
  const named = byName.get(name);
  if (named !== undefined) return named;
  const digits = /^(?:slide )?([0-9a-f]{8,64})$/.exec(name)?.[1];
  return digits === undefined ? [] : slides.filter(({ id }) => id.startsWith(digits));
}

/** A table of slides without labels, to be filled in. */
export function emptyTable(names: readonly string[]): string {
  return tableText([['case_id', 'slide_id', 'label'], ...names.map((name) => ['', name, ''])]);
}

/** Rows of cells as CSV that `parseTable` reads. */
export function tableText(rows: readonly (readonly string[])[]): string {
  const quoted = (cell: string): string => (/[",;\t\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return rows.map((cells) => cells.map(quoted).join(',')).join('\n');
}
