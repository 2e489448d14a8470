import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileKindOf } from '../../../src-shared/api/file-kinds.ts';
import { AppError } from '../../../src-shared/errors.ts';
import { parseLabels } from '../interop/labels.ts';

/** A slide of an archive, as a folder or a list names it. */
export interface ListedSlide {
  readonly path: string;
  /** µm per level-0 pixel where the list gives one. */
  readonly mppUm: number | null;
  /** Patient or case; null where the list names none. */
  readonly caseId: string | null;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ListedSlides {
  readonly slides: readonly ListedSlide[];
  readonly labelColumns: readonly string[];
  /** Sentences on what was left out or looks wrong. */
  readonly warnings: readonly string[];
}

/**
 * The slides of a CSV file with a column `wsi`, `slide_id` or the like, perhaps `mpp`, and any label columns. A list
 * names files beside it, with or without their extension, or by absolute path; what is not there is kept, so that
 * opening it says so and the other slides go on. @throws AppError FileUnreadable, InvalidRequest
 */
export async function readSlideList(path: string): Promise<ListedSlides> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('FileUnreadable', `${basename(path)} cannot be read.`, { detail: String(cause), cause });
  });
  const folder = dirname(resolve(path));
  const beside = await readdir(folder);
  const { rows, labelColumns, warnings } = parseLabels(text);
  const slides = rows.map(({ slide, mppUm, caseId, labels }) => {
    const exact = resolve(folder, slide);
    const byStem = beside.find((name) => fileKindOf(name) === 'slide' && slideStem(name) === slide);
    const found = existsSync(exact) || byStem === undefined ? exact : join(folder, byStem);
    return { path: found, mppUm, caseId, labels };
  });
  return { slides, labelColumns, warnings };
}

/** A file's name without its extension. */
export const slideStem = (name: string): string => basename(name, extname(name));
