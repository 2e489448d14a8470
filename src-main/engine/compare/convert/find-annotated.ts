import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { AppError } from '../../../../src-shared/errors.ts';
import { parseCsv } from '../../interop/csv.ts';

/** An image with its annotation and the group (patient, else slide, else the image itself) its patches stay with. */
export interface AnnotatedImage {
  readonly path: string;
  readonly annotation: string;
  readonly group: string;
}

export interface FoundImages {
  readonly images: readonly AnnotatedImage[];
  /** Images without an annotation, by name. */
  readonly without: readonly string[];
}

const IMAGE_SUFFIXES: ReadonlySet<string> = new Set(['.jpg', '.jpeg', '.png', '.tif', '.tiff', '.webp']);
const IMAGE_COLUMNS = ['path', 'file', 'filename', 'image'];
const ANNOTATION_COLUMNS = ['annotation', 'mask', 'points'];
const GROUP_COLUMNS = [
  ['patient', 'patient_id', 'case_id', 'group'],
  ['slide', 'slide_id'],
];
const TABLES = ['index.tsv', 'index.csv'];

/**
 * Images with their annotations: a table (columns file and, unless a folder of annotations is given, annotation; patient
 * or group, and slide where known), or a folder of images (with such a table in it, if there is one). Annotations in a
 * folder belong to the image whose name they bear, perhaps with something behind it: `a_mask.png` to `a.jpg`.
 *
 * @throws AppError NotFound, InvalidRequest where nothing there is annotated.
 */
export async function findAnnotated(images: string, annotations: string | null): Promise<FoundImages> {
  const at = resolve(images);
  const rows = await imageRows(at);
  const files = annotations === null ? null : await filesIn(resolve(annotations));
  const found: AnnotatedImage[] = [];
  const without: string[] = [];
  for (const { path, annotation, group } of rows) {
    const own = files === null ? annotation : annotationOf(path, files);
    if (own === null) without.push(basename(path));
    else found.push({ path, annotation: own, group: group || stemOf(path) });
  }
  if (found.length > 0) return { images: found, without };
  throw new AppError('InvalidRequest', `No image of ${basename(at)} has an annotation.`, {
    advice: 'Name a column annotation in the table, or give the folder that holds them under --annotations.',
  });
}

interface ImageRow {
  readonly path: string;
  readonly annotation: string | null;
  readonly group: string;
}

async function imageRows(at: string): Promise<readonly ImageRow[]> {
  const entry = await stat(at).catch(() => null);
  if (entry === null) throw new AppError('NotFound', `There is nothing at ${at}.`, { advice: 'Check the path.' });
  if (entry.isFile()) return tableRows(at);
  for (const name of TABLES) {
    const table = join(at, name);
    if (await stat(table).catch(() => null)) return tableRows(table);
  }
  const paths = (await filesIn(at)).filter((path) => IMAGE_SUFFIXES.has(extname(path).toLowerCase()));
  return paths.map((path) => ({ path, annotation: null, group: '' }));
}

async function tableRows(table: string): Promise<readonly ImageRow[]> {
  const [header = [], ...lines] = parseCsv(await readFile(table, 'utf8'));
  const lower = header.map((title) => title.trim().toLowerCase());
  const column = (names: readonly string[]) => lower.findIndex((name) => names.includes(name));
  const [image, annotation] = [column(IMAGE_COLUMNS), column(ANNOTATION_COLUMNS)];
  if (image < 0) {
    throw new AppError('InvalidRequest', `The table ${basename(table)} has no column for the image.`, {
      advice: 'Name the columns file, annotation and patient.',
    });
  }
  const groups = GROUP_COLUMNS.map(column);
  const cell = (line: readonly string[], at: number): string => {
    const text = at < 0 ? '' : (line[at]?.trim() ?? '');
    return text === '-' ? '' : (text.split('|')[0]?.trim() ?? '');
  };
  return lines.map((line) => {
    const own = cell(line, annotation);
    return {
      path: resolve(dirname(table), cell(line, image)),
      annotation: own === '' ? null : resolve(dirname(table), own),
      group: groups.map((at) => cell(line, at)).find((text) => text !== '') ?? '',
    };
  });
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => {
    throw new AppError('NotFound', `There is no folder ${folder}.`, { advice: 'Check the path.' });
  });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ name }) => join(folder, name))
    .sort();
}

/** The file of the same name, else the one with a name that goes on behind a separator. */
function annotationOf(image: string, files: readonly string[]): string | null {
  const stem = stemOf(image);
  const others = files.filter((path) => path !== image);
  const same = others.find((path) => stemOf(path) === stem);
  return (
    same ??
    others.find((path) => /^[_.-]/.test(stemOf(path).slice(stem.length)) && stemOf(path).startsWith(stem)) ??
    null
  );
}

function stemOf(path: string): string {
  return basename(path, extname(path));
}
