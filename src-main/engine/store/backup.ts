import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { AppError } from '../../../src-shared/errors.ts';

const KEPT = 3;

/** The folder of a store's backups, beside it. */
export function backupFolderOf(folder: string): string {
  return join(folder, 'backups');
}

/** The backups of a store, newest first. */
export function listBackups(folder: string, fileName: string): readonly string[] {
  const backups = backupFolderOf(folder);
  if (!existsSync(backups)) return [];
  return readdirSync(backups)
    .filter((name) => name.startsWith(`${fileName}.v`) && name.endsWith('.backup'))
    .sort((a, b) => stampOf(b).localeCompare(stampOf(a)))
    .map((name) => join(backups, name));
}

function stampOf(name: string): string {
  return basename(name, '.backup').split('.').at(-1) ?? '';
}

/**
 * Copies the store as it is now into `backups/FILE.vN.STAMP.backup` and drops all but the last three. The copy is made
 * by VACUUM INTO, which SQLite documents as a consistent snapshot (https://sqlite.org/lang_vacuum.html), under a
 * temporary name first: a backup that is there is whole.
 * @returns the path of the backup
 * @throws AppError DiskFull where the copy would not fit; nothing is changed then.
 */
export function backupStore(db: Database, folder: string, fileName: string, version: number): string {
  const backups = backupFolderOf(folder);
  mkdirSync(backups, { recursive: true });
  const bytes = Number(db.pragma('page_count', { simple: true })) * Number(db.pragma('page_size', { simple: true }));
  const { bavail, bsize } = statfsSync(backups);
  if (bavail * bsize < bytes) {
    throw new AppError(
      'DiskFull',
      'The disk lacks the room for a copy of the store, which this version has to change.',
      {
        advice: `Free ${Math.ceil(bytes / 1e6)} MB on the disk of ${backups} and start again; nothing was changed.`,
      },
    );
  }
  const stamp = new Date().toISOString().replaceAll(/[-:.]/g, '');
  const path = join(backups, `${fileName}.v${version}.${stamp}.backup`);
  const unfinished = `${path}.part`;
  rmSync(unfinished, { force: true });
  try {
    db.prepare('VACUUM INTO ?').run(unfinished);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  renameSync(unfinished, path);
  for (const old of listBackups(folder, fileName).slice(KEPT)) rmSync(old, { force: true });
  return path;
}
