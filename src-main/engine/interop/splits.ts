import { AppError } from '../../../src-shared/errors.ts';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import type { StudySplit, StudySplitting } from '../../../src-shared/model/study.ts';
import { listed } from '../study/splits.ts';
import { type CsvTable, parseCsv } from './csv.ts';

/** A file of splits as it was chosen. */
export interface SplitFile {
  readonly name: string;
  readonly text: string;
}

/** Parts by slide name as a file writes them. */
interface NamedSplit {
  readonly train: readonly string[];
  readonly validation: readonly string[];
  readonly test: readonly string[];
}

export interface ReadSplits {
  readonly splitting: Extract<StudySplitting, { readonly kind: 'given' }>;
  /** Slides the files name that are not in the study: they are left out. */
  readonly unknown: readonly string[];
}

const PART_OF: Readonly<Record<string, keyof NamedSplit>> = {
  ...{ train: 'train', training: 'train', test: 'test', testing: 'test' },
  ...{ val: 'validation', valid: 'validation', validation: 'validation', dev: 'validation' },
};

/**
 * Splits of other tools for the slides of a study:
 * - CLAM's `splits_k.csv` (header `,train,val,test`, slide names below, one file a fold) and `splits_k_bool.csv`
 *   (a row a slide, True under its part);
 * - Patho-Bench's `k=all.tsv` (`case_id, slide_id, TASK, fold_0, …` with train, val or test in each fold's column).
 *
 * Slides are matched by name, with or without ending, case aside; where a table names only cases, by patient.
 * @throws AppError InvalidRequest for another layout, a slide twice in one fold, or no slide of the study at all.
 */
export function readSplits(
  files: readonly SplitFile[],
  rows: readonly { readonly slideId: SlideId; readonly slideName: string; readonly patient: string }[],
): ReadSplits {
  if (files.length === 0) throw new AppError('InvalidRequest', 'Choose the files that hold the splits.');
  const inOrder = [...files].sort((a, b) => foldNumber(a.name) - foldNumber(b.name) || a.name.localeCompare(b.name));
  const byName = slidesByName(rows);
  const unknown = new Set<string>();
  const splits = inOrder.flatMap(({ name, text }) =>
    splitsIn(name, parseCsv(text)).map((split) => bySlide(split, byName, unknown)),
  );
  if (splits.every(({ train, validation, test }) => train.length + validation.length + test.length === 0)) {
    throw new AppError('InvalidRequest', 'The splits name no slide of this study.', {
      advice: 'Slides are matched by file name, with or without ending.',
      detail: [...unknown].slice(0, 20).join(', '),
    });
  }
  const from =
    inOrder.length === 1 ? (inOrder[0]?.name ?? '') : `${inOrder[0]?.name ?? ''} and ${inOrder.length - 1} more`;
  return { splitting: { kind: 'given', from, splits }, unknown: [...unknown].sort() };
}

const foldNumber = (name: string): number => Number(/(\d+)\D*$/.exec(name)?.[1] ?? 0);

function splitsIn(name: string, table: CsvTable): readonly NamedSplit[] {
  const [header = [], ...rows] = table;
  const lower = header.map((cell) => cell.trim().toLowerCase());
  const folds = lower.flatMap((cell, i) => (/^fold_?\d+$/.test(cell) ? [i] : []));
  if (folds.length > 0) return folds.map((column) => foldColumn(name, lower, rows, column));
  const parts = lower.flatMap((cell, i) => (PART_OF[cell] === undefined ? [] : [{ i, part: PART_OF[cell] }]));
  if (parts.some(({ part }) => part === 'train') && parts.some(({ part }) => part === 'test')) {
    const isBool = rows.every((row) => parts.every(({ i }) => /^(true|false|0|1|)$/i.test(row[i]?.trim() ?? '')));
    const named = (part: keyof NamedSplit): string[] =>
      parts
        .filter((each) => each.part === part)
        .flatMap(({ i }) =>
          rows.flatMap((row) => {
            const cell = row[i]?.trim() ?? '';
            if (isBool) return /^(true|1)$/i.test(cell) ? [row[0]?.trim() ?? ''] : [];
            return cell === '' || cell.toLowerCase() === 'nan' ? [] : [cell];
          }),
        );
    return [{ train: named('train'), validation: named('validation'), test: named('test') }];
  }
  throw new AppError('InvalidRequest', `${name} is no table of splits.`, {
    advice: "Known are CLAM's splits_0.csv (train, val, test) and Patho-Bench's k=all.tsv (fold_0, fold_1, …).",
    detail: header.join(' | '),
  });
}

function foldColumn(name: string, lower: readonly string[], rows: CsvTable, column: number): NamedSplit {
  const slide = lower.indexOf('slide_id') >= 0 ? lower.indexOf('slide_id') : lower.indexOf('case_id');
  if (slide < 0) {
    throw new AppError('InvalidRequest', `${name} has no column slide_id or case_id.`, {
      detail: lower.join(' | '),
    });
  }
  const split: Record<keyof NamedSplit, string[]> = { train: [], validation: [], test: [] };
  for (const row of rows) {
    const written = row[column]?.trim().toLowerCase() ?? '';
    if (written === '' || written === 'nan') continue;
    const part = PART_OF[written];
    if (part === undefined) {
      throw new AppError('InvalidRequest', `${name} puts ${row[slide] ?? ''} into a part called ${written}.`, {
        advice: 'Parts are called train, val and test.',
      });
    }
    split[part].push(row[slide]?.trim() ?? '');
  }
  return split;
}

type Names = ReadonlyMap<string, readonly SlideId[]>;

function slidesByName(rows: Parameters<typeof readSplits>[1]): Names {
  const names = new Map<string, SlideId[]>();
  const add = (name: string, id: SlideId): void => {
    const known = names.get(name);
    if (known === undefined) names.set(name, [id]);
    else if (!known.includes(id)) known.push(id);
  };
  for (const { slideId, slideName } of rows) {
    add(slideName.toLowerCase(), slideId);
    add(stem(slideName), slideId);
  }
  for (const { slideId, patient } of rows) if (patient !== '') add(`case ${patient.toLowerCase()}`, slideId);
  return names;
}

const stem = (name: string): string => name.toLowerCase().replace(/\.[^.]*$/, '');

function bySlide(named: NamedSplit, names: Names, unknown: Set<string>): StudySplit {
  const taken = new Map<SlideId, string>();
  const ids = (list: readonly string[]): SlideId[] =>
    [...new Set(list)].flatMap((written) => {
      const base = (written.split(/[\\/]/).at(-1) ?? '').toLowerCase();
      const found = names.get(base) ?? names.get(stem(base)) ?? names.get(`case ${written.toLowerCase()}`) ?? [];
      if (found.length === 0) unknown.add(written);
      const again = found.filter((id) => taken.has(id));
      if (again.length > 0) {
        throw new AppError('InvalidRequest', `The splits put ${listed([written])} into two parts of one fold.`, {
          advice: 'Every slide belongs to one part of a fold.',
        });
      }
      for (const id of found) taken.set(id, written);
      return found;
    });
  return { train: ids(named.train), validation: ids(named.validation), test: ids(named.test) };
}
