import { AppError } from '../../../src-shared/errors.ts';
import { namesPatients } from '../../../src-shared/model/case-name.ts';
import { type CsvTable, parseCsv } from './csv.ts';

/** One slide of a list. */
export interface LabelRow {
  /** Slide name or path as the table has it. */
  readonly slide: string;
  /** Patient or case; null where the table names none (see `namesPatients`). */
  readonly caseId: string | null;
  /** µm per level-0 pixel, where the table gives one (TRIDENT's `mpp`). */
  readonly mppUm: number | null;
  /** Value of each label column; empty cells are left out. */
  readonly labels: Readonly<Record<string, string>>;
  /** `fold_k` columns (Patho-Bench): `train`, `val`, `test`, as written. */
  readonly folds: Readonly<Record<string, string>>;
}

export interface LabelTable {
  readonly slideColumn: string;
  readonly caseColumn: string | null;
  readonly labelColumns: readonly string[];
  readonly rows: readonly LabelRow[];
  /** Sentences on what was left out or looks wrong. */
  readonly warnings: readonly string[];
}

/** What TRIDENT, CLAM, Patho-Bench, STAMP and plain tables call the slide and the case; the first found is taken. */
const SLIDE_COLUMNS = ['slide_id', 'wsi', 'filename', 'slide', 'file', 'path', 'image'];
const CASE_COLUMNS = ['case_id', 'patient', 'patient_id', 'case', 'submitter_id'];
const MPP_COLUMNS = ['mpp', 'mpp_um'];
const FOLD_COLUMN = /^fold_\d+$/;

interface Columns {
  readonly slide: number;
  readonly caseId: number;
  readonly mpp: number;
  readonly folds: readonly number[];
  readonly labels: readonly number[];
}

function columnsOf(header: readonly string[]): Columns {
  const lower = header.map((name) => name.trim().toLowerCase());
  const find = (names: readonly string[]): number => {
    return lower.indexOf(names.find((name) => lower.includes(name)) ?? '\0');
  };
  const [slide, caseId, mpp] = [find(SLIDE_COLUMNS), find(CASE_COLUMNS), find(MPP_COLUMNS)];
  if (slide < 0) {
    throw new AppError('InvalidRequest', 'The table has no column that names the slides.', {
      advice: `Name one of its columns ${SLIDE_COLUMNS.slice(0, 3).join(', ')} or slide.`,
      detail: header.join(' | '),
    });
  }
  const folds = lower.flatMap((name, i) => (FOLD_COLUMN.test(name) ? [i] : []));
  const taken = new Set([slide, caseId, mpp, ...folds]);
  // A column without a name is the row number pandas writes.
  const labels = lower.flatMap((name, i) => (taken.has(i) || name === '' || name.startsWith('unnamed:') ? [] : [i]));
  return { slide, caseId, mpp, folds, labels };
}

function cellsOf(
  row: readonly string[],
  header: readonly string[],
  columns: readonly number[],
): Record<string, string> {
  return Object.fromEntries(
    columns.flatMap((i) => {
      const value = row[i]?.trim() ?? '';
      return value === '' ? [] : [[header[i]?.trim() ?? '', value]];
    }),
  );
}

function mppOf(cell: string | undefined, rowNumber: number): number | null {
  const text = cell?.trim() ?? '';
  if (text === '' || text.toLowerCase() === 'nan') return null;
  // A decimal comma can only stand in a table whose delimiter is another.
  const value = Number(text.replace(',', '.'));
  if (Number.isFinite(value) && value > 0) return value;
  throw new AppError('InvalidRequest', `Row ${rowNumber} of the table gives "${text}" as pixel size.`, {
    advice: 'Write micrometres per pixel as a number, for example 0.25, or leave the cell empty.',
  });
}

/**
 * Reads a list of slides with labels: CLAM's `case_id,slide_id,label`, TRIDENT's `wsi,mpp`, Patho-Bench's
 * `case_id slide_id TASK fold_0 …` (tabs), STAMP's `PATIENT,FILENAME`, or any table with a slide column. Repeated rows
 * are taken once.
 * @throws AppError InvalidRequest: no slide column, an impossible pixel size, or one slide with two different labels.
 */
export function parseLabels(text: string): LabelTable {
  const table: CsvTable = parseCsv(text);
  const header = table[0] ?? [];
  const columns = columnsOf(header);
  const warnings: string[] = [];
  const bySlide = new Map<string, LabelRow>();
  for (const [index, cells] of table.slice(1).entries()) {
    const rowNumber = index + 2;
    const slide = cells[columns.slide]?.trim() ?? '';
    if (slide === '') {
      warnings.push(`Row ${rowNumber} names no slide and was left out.`);
      continue;
    }
    const row: LabelRow = {
      slide,
      caseId: cells[columns.caseId]?.trim() || null,
      mppUm: mppOf(cells[columns.mpp], rowNumber),
      labels: cellsOf(cells, header, columns.labels),
      folds: cellsOf(cells, header, columns.folds),
    };
    const known = bySlide.get(slide);
    if (known === undefined) bySlide.set(slide, row);
    else if (JSON.stringify(known) === JSON.stringify(row)) {
      warnings.push(`Row ${rowNumber} repeats "${slide}" and was taken once.`);
    } else {
      throw new AppError('InvalidRequest', `Row ${rowNumber} contradicts an earlier row on "${slide}".`, {
        advice: 'Keep one row for each slide.',
      });
    }
  }
  const rows = [...bySlide.values()];
  const hasPatients = namesPatients(rows.map(({ slide, caseId }) => ({ slide, patient: caseId ?? '' })));
  return {
    slideColumn: header[columns.slide]?.trim() ?? '',
    caseColumn: header[columns.caseId]?.trim() ?? null,
    labelColumns: columns.labels.map((i) => header[i]?.trim() ?? ''),
    rows: hasPatients ? rows : rows.map((row) => ({ ...row, caseId: null })),
    warnings,
  };
}
