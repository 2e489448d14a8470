import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder of real slides, patches and weights that tests may measure against (`slides/`, `patches/`, `weights/`):
 * HYALINE_DATA where it is set, else `../shared/data` beside the repository. Null where there is none: tests that need
 * it skip visibly.
 */
export function realDataFolder(): string | null {
  const named = process.env.HYALINE_DATA;
  if (named !== undefined && named !== '') return existsSync(join(named, 'slides')) ? resolve(named) : null;
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
  const beside = resolve(root, '../shared/data');
  return existsSync(join(beside, 'slides')) ? beside : null;
}

/** Path of a real slide below `slides/`, or null where the data or the file is absent. */
export function realSlide(name: string): string | null {
  const folder = realDataFolder();
  if (folder === null) return null;
  const path = join(folder, 'slides', name);
  return existsSync(path) ? path : null;
}
