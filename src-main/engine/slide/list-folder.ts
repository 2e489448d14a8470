import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { AppError, type ErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import { openByteSource } from './byte-source.ts';
import { openDicomSeries, seriesOf } from './dicom/open-dicom.ts';
import { openSlideSource } from './open-slide.ts';
import { fileUnreadable, throwIfCancelled } from './slide-errors.ts';
import type { SlideSource } from './slide-source.ts';

/** Files of these names are slides or say why they are none; others are left out of a listing. */
const SLIDE_NAMES: ReadonlySet<string> = new Set([
  '.svs',
  '.tif',
  '.tiff',
  '.btf',
  '.qptiff',
  '.ndpi',
  '.mrxs',
  '.vms',
  '.vmu',
  '.scn',
  '.bif',
  '.svslide',
  '.dcm',
  '.png',
  '.jpg',
  '.jpeg',
]);

/** One slide of a folder, or a file that looks like one and does not open. */
export interface FolderSlide {
  /** The file to open; of a DICOM series its first. */
  readonly path: string;
  readonly name: string;
  /** Files that make up the slide: more than one for a DICOM series. */
  readonly files: number;
  readonly sizeBytes: number;
  /** Null where the file does not open; then `error` says why. */
  readonly info: SlideInfo | null;
  readonly error: ErrorPayload | null;
}

/**
 * Lists the slides of a folder (not of its subfolders) one by one as they are found, in the order of their names, so
 * that a caller can show the first of a thousand at once and stop at any time. Each file is opened once, for its
 * header only. DICOM files are grouped into series; they come last, since all of them must be seen first.
 * Throws FileUnreadable where the folder does not open, Cancelled.
 */
export async function* listSlideFolder(folder: string, signal?: AbortSignal): AsyncGenerator<FolderSlide> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw fileUnreadable(error);
  });
  const names = entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const series = new Map<string, string[]>();
  for (const name of names) {
    throwIfCancelled(signal);
    const extension = extname(name).toLowerCase();
    // DICOM files often have no name ending, or their UID's last number looks like one.
    const mayBeDicom = extension === '.dcm' || !/^\.[a-z]{2,}/.test(extension);
    const path = join(folder, name);
    const uid = mayBeDicom ? await seriesOf(path) : null;
    if (uid !== null) series.set(uid, [...(series.get(uid) ?? []), path]);
    else if (SLIDE_NAMES.has(extension)) yield await describe([path], () => openSlideSource(path));
  }
  for (const paths of series.values()) {
    throwIfCancelled(signal);
    yield await describe(paths, () => openSeries(paths));
  }
}

async function describe(paths: readonly string[], open: () => Promise<SlideSource>): Promise<FolderSlide> {
  const path = paths[0] ?? '';
  const common = { path, name: basename(path), files: paths.length, sizeBytes: await totalBytes(paths) };
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
