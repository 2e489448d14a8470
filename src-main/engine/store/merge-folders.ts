import { copyFile, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../../src-shared/errors.ts';
import { type MergeOptions, type MergeReport, mergeStore } from './merge.ts';
import { openStore, STORE_FILE_NAME } from './open-store.ts';
import type { BackboneRecord } from './store.ts';

/** A store on disk. */
export interface StorePlace {
  readonly folder: string;
  /** `hyaline.db` by default. */
  readonly fileName?: string;
}

export interface FolderMergeOptions extends MergeOptions {
  /** How the owner is named to other programs meanwhile. */
  readonly program: string;
}

/** Folder of the imported backbones' files beside a store. */
const BACKBONES = 'backbones';

/**
 * Merges stores into one, as `mergeStore`, and copies the files of the backbones that come with them. All stores are
 * locked meanwhile.
 * @returns a report for each source, in order
 * @throws AppError as `openStore` and `mergeStore`; NotFound where a source is not there; InvalidRequest where a source
 * is the target
 */
export async function mergeStoreFolders(
  into: StorePlace,
  from: readonly StorePlace[],
  options: FolderMergeOptions,
): Promise<readonly MergeReport[]> {
  for (const place of from) await requireStore(place, into);
  const target = await openStore({ ...into, program: options.program });
  try {
    const reports: MergeReport[] = [];
    for (const place of from) {
      const source = await openStore({ ...place, program: options.program });
      try {
        // Files first: a record never names a file that is not there yet.
        await copyBackboneFiles(await source.listBackbones(), place.folder, into.folder);
        reports.push(await mergeStore(target, source, options));
      } finally {
        await source.close();
      }
    }
    return reports;
  } finally {
    await target.close();
  }
}

async function requireStore(place: StorePlace, into: StorePlace): Promise<void> {
  const pathOf = ({ folder, fileName = STORE_FILE_NAME }: StorePlace): string => join(folder, fileName);
  const [file, other] = await Promise.all([place, into].map((each) => stat(pathOf(each)).catch(() => null)));
  if (!file?.isFile()) {
    throw new AppError('NotFound', 'There is no store to merge at the place given.', { detail: pathOf(place) });
  }
  if (file.ino === other?.ino && file.dev === other.dev) {
    throw new AppError('InvalidRequest', 'A store cannot be merged into itself.', { detail: pathOf(place) });
  }
}

async function copyBackboneFiles(records: readonly BackboneRecord[], from: string, into: string): Promise<void> {
  for (const { fileName } of records) {
    const [source, target] = [join(from, BACKBONES, fileName), join(into, BACKBONES, fileName)];
    const exists = (path: string): Promise<boolean> =>
      stat(path).then(
        (found) => found.isFile(),
        () => false,
      );
    if (!(await exists(source)) || (await exists(target))) continue;
    await mkdir(join(into, BACKBONES), { recursive: true });
    await copyFile(source, `${target}.part`);
    await rename(`${target}.part`, target);
  }
}
