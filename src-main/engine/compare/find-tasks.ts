import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { AppError } from '../../../src-shared/errors.ts';
import { parseCsv } from '../interop/csv.ts';
import { listed, type PatchRow, type SkippedTask } from './patch-task.ts';

const IMAGE_SUFFIXES: ReadonlySet<string> = new Set(['.jpg', '.jpeg', '.png', '.tif', '.tiff', '.webp']);
const PART_FOLDERS: ReadonlySet<string> = new Set(['train', 'val', 'valid', 'validation', 'test']);
const INDEX_NAME = 'index.tsv';

const PATH_COLUMNS = ['path', 'file', 'filename', 'image'];
const LABEL_COLUMNS = ['label', 'class'];
const GROUP_COLUMNS = ['group', 'patient', 'patient_id', 'case_id', 'slide'];

/** The rows of a task as its folder or table gives them. */
export interface FoundTask {
  readonly name: string;
  readonly rows: readonly PatchRow[];
}

export interface FoundTasks {
  readonly found: readonly FoundTask[];
  readonly skipped: readonly SkippedTask[];
}

/**
 * The tasks at a path: a table (`path, label, group` and optionally `split`), a folder with `index.tsv` (`file, split,
 * label, group`), a folder with a folder per class (or `train/` and `test/` with one per class), or a folder of such
 * tasks. What is no task is named in `skipped`.
 *
 * @throws AppError NotFound, and InvalidRequest where nothing there can be read as a task.
 */
export async function findTasks(path: string): Promise<FoundTasks> {
  const at = resolve(path);
  const entry = await stat(at).catch(() => null);
  if (entry === null) throw new AppError('NotFound', `There is no task at ${path}.`, { advice: 'Check its path.' });
  if (entry.isFile()) return { found: [await tableTask(at, basename(at, extname(at)))], skipped: [] };
  const single = (await holdsTasks(at)) ? null : await folderTask(at);
  if (single !== null) return { found: [single], skipped: [] };
  const found: FoundTask[] = [];
  const skipped: SkippedTask[] = [];
  for (const name of await folders(at)) {
    try {
      const task = await folderTask(join(at, name));
      if (task === null) skipped.push({ name, reason: 'It holds neither class folders nor an index.tsv.' });
      else found.push(task);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      skipped.push({ name, reason: error.message });
    }
  }
  if (found.length === 0 && skipped.length === 0) {
    throw new AppError('InvalidRequest', `${basename(at)} holds no task.`, {
      advice: 'Give a folder with a folder of images per class, or a table with the columns path, label and group.',
    });
  }
  return { found, skipped };
}

/** True where a folder inside is a task of its own: images that lie in another one beside it make no class of it. */
async function holdsTasks(folder: string): Promise<boolean> {
  if (await isFile(join(folder, INDEX_NAME))) return false;
  for (const name of await folders(folder)) {
    if (PART_FOLDERS.has(name.toLowerCase())) continue;
    if (await isFile(join(folder, name, INDEX_NAME))) return true;
    const inside = await folderTask(join(folder, name));
    if (inside !== null) return true;
  }
  return false;
}

async function folderTask(folder: string): Promise<FoundTask | null> {
  const index = join(folder, INDEX_NAME);
  if (await isFile(index)) return tableTask(index, basename(folder));
  const rows: PatchRow[] = [];
  for (const first of await folders(folder)) {
    const inside = join(folder, first);
    if (PART_FOLDERS.has(first.toLowerCase())) {
      for (const label of await folders(inside)) rows.push(...(await classRows(join(inside, label), label, first)));
    } else {
      rows.push(...(await classRows(inside, first, '')));
    }
  }
  return rows.length === 0 ? null : { name: basename(folder), rows };
}

async function classRows(folder: string, label: string, split: string): Promise<PatchRow[]> {
  const names = await readdir(folder, { withFileTypes: true });
  return names
    .filter((entry) => entry.isFile() && IMAGE_SUFFIXES.has(extname(entry.name).toLowerCase()))
    .map(({ name }) => ({ path: join(folder, name), label, group: '', split }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Paths in a table are relative to it. A group's text after `|` only describes it; `-` stands for an empty cell. */
async function tableTask(path: string, name: string): Promise<FoundTask> {
  const [header = [], ...lines] = parseCsv(await readFile(path, 'utf8'));
  const lower = header.map((title) => title.trim().toLowerCase());
  const column = (names: readonly string[]): number => lower.indexOf(names.find((n) => lower.includes(n)) ?? '\0');
  const [file, label, group, split] = [PATH_COLUMNS, LABEL_COLUMNS, GROUP_COLUMNS, ['split']].map(column);
  if (file === undefined || file < 0 || label === undefined || label < 0) {
    throw new AppError('InvalidRequest', `Its table has no column for the ${(file ?? -1) < 0 ? 'path' : 'label'}.`, {
      advice: 'Name the columns path, label and group.',
      detail: `${name}: ${listed(header)}`,
    });
  }
  const cell = (line: readonly string[], at: number | undefined): string => {
    const text = at === undefined || at < 0 ? '' : (line[at]?.trim() ?? '');
    return text === '-' ? '' : text;
  };
  const rows = lines.map((line) => ({
    path: resolve(dirname(path), cell(line, file)),
    label: cell(line, label),
    group: cell(line, group).split('|')[0]?.trim() ?? '',
    split: cell(line, split),
  }));
  return { name, rows };
}

async function folders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
