import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { AppError, type ErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import { openByteSource } from './byte-source.ts';
import { openDicomSeries, seriesOf } from './dicom/open-dicom.ts';
import { SLIDE_EXTENSIONS } from './formats.ts';
import { openSlideSource } from './open-slide.ts';
import { fileUnreadable, throwIfCancelled } from './slide-errors.ts';
import type { SlideSource } from './slide-source.ts';

/** Folders this deep below the opened one are not looked into. */
const MAX_DEPTH = 12;

/** One slide of a folder, or a file that looks like one and does not open. */
export interface FolderSlide {
  /** The file to open; of a DICOM series its first. */
  readonly path: string;
  readonly name: string;
  /** Folder below the listed one in which it lies, parts joined by `/`; empty for the listed one. */
  readonly subfolder: string;
  /** Files that make up the slide: more than one for a DICOM series. */
  readonly files: number;
  readonly sizeBytes: number;
  /** Null where the file does not open; then `error` says why. */
  readonly info: SlideInfo | null;
  readonly error: ErrorPayload | null;
}

/**
 * Lists the slides of a folder and of its subfolders one by one as they are found, folder by folder in the order of
 * their names, so that a caller can show the first of a thousand at once and stop at any time. Each file is opened once,
 * for its header only. The DICOM files of a folder are grouped into series; they come after its other slides, since all
 * of them must be seen first. Links are followed, each folder is entered once; a subfolder that may not be read is passed
 * over. Throws FileUnreadable where the folder itself does not open, Cancelled.
 */
export async function* listSlideFolder(folder: string, signal?: AbortSignal): AsyncGenerator<FolderSlide> {
  const entered = new Set<string>();
  const names = await readdir(folder).catch((error: unknown) => {
    throw fileUnreadable(error);
  });
  yield* slidesBelow(folder, names, '', 0, entered, signal);
}

async function* slidesBelow(
  folder: string,
  names: readonly string[],
  subfolder: string,
  depth: number,
  entered: Set<string>,
  signal: AbortSignal | undefined,
): AsyncGenerator<FolderSlide> {
  const real = await realpath(folder);
  if (entered.has(real)) return;
  entered.add(real);
  const series = new Map<string, string[]>();
  const folders: string[] = [];
  for (const name of [...names].sort(BY_NAME)) {
    throwIfCancelled(signal);
    const path = join(folder, name);
    const found = name.startsWith('.') ? null : await stat(path).catch(() => null);
    if (found?.isDirectory()) folders.push(name);
    if (!found?.isFile()) continue;
    const extension = extname(name).toLowerCase();
    // DICOM files often have no name ending, or their UID's last number looks like one.
    const mayBeDicom = extension === '.dcm' || !/^\.[a-z]{2,}/.test(extension);
    const uid = mayBeDicom ? await seriesOf(path) : null;
    if (uid !== null) series.set(uid, [...(series.get(uid) ?? []), path]);
    else if (SLIDE_EXTENSIONS.has(extension)) yield await describe([path], subfolder, () => openSlideSource(path));
  }
  for (const paths of series.values()) {
    throwIfCancelled(signal);
    yield await describe(paths, subfolder, () => openSeries(paths));
  }
  if (depth === MAX_DEPTH) return;
  for (const name of folders) {
    const path = join(folder, name);
    const inside = await readdir(path).catch(() => null);
    const below = subfolder === '' ? name : `${subfolder}/${name}`;
    if (inside !== null) yield* slidesBelow(path, inside, below, depth + 1, entered, signal);
  }
}

const BY_NAME = new Intl.Collator('en', { numeric: true }).compare;

async function describe(
  paths: readonly string[],
  subfolder: string,
  open: () => Promise<SlideSource>,
): Promise<FolderSlide> {
  const path = paths[0] ?? '';
  const common = { path, name: basename(path), subfolder, files: paths.length, sizeBytes: await totalBytes(paths) };
  try {
    const slide = await open();
    await slide.close();
    return { ...common, info: slide.info, error: null };
  } catch (error) {
    return { ...common, info: null, error: toErrorPayload(error) };
  }
}

/** The series, opened at its first whole-slide file: other objects (annotations, dose reports) may share its UID. */
async function openSeries(paths: readonly string[]): Promise<SlideSource> {
  let reason: unknown = new AppError('NotASlide', 'This file is not a slide.');
  for (const path of paths) {
    const source = await openByteSource(path);
    try {
      return await openDicomSeries(
        path,
        source,
        paths.filter((other) => other !== path),
      );
    } catch (error) {
      await source.close();
      reason = error;
    }
  }
  throw reason;
}

async function totalBytes(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
