import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CrashDumps } from '../../src-shared/api/shell.ts';

/** Crashpad's own settings: not a dump, and it must outlive a purge. */
const KEPT = new Set(['settings.dat']);

interface DumpFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly isDump: boolean;
}

async function dumpFiles(folder: string): Promise<readonly DumpFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && !KEPT.has(entry.name));
  return Promise.all(
    files.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name);
      const sizeBytes = await stat(path).then(
        (info) => info.size,
        () => 0,
      );
      return { path, sizeBytes, isDump: name.endsWith('.dmp') };
    }),
  );
}

/** Counts the crash dumps of a folder; their notes (`.meta`) add to the size. */
export async function countCrashDumps(folder: string): Promise<CrashDumps> {
  const files = await dumpFiles(folder);
  return {
    count: files.filter(({ isDump }) => isDump).length,
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

/** Deletes every dump and its notes. */
export async function purgeCrashDumps(folder: string): Promise<CrashDumps> {
  const files = await dumpFiles(folder);
  await Promise.all(files.map(({ path }) => rm(path, { force: true })));
  return countCrashDumps(folder);
}
