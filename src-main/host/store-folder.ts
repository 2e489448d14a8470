import { basename, dirname, resolve } from 'node:path';
import envPaths from 'env-paths';

const DATABASE_NAME = 'hyaline.db';

/**
 * The store's folder: `--store`, else HYALINE_STORE, else the data folder of the user's platform. The path of the
 * database file itself names its folder.
 */
export function storeFolder(option: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const given = option ?? env.HYALINE_STORE;
  if (given === undefined || given === '') {
    return envPaths('Hyaline', { suffix: '' }).data;
  }
  const path = resolve(given);
  return basename(path) === DATABASE_NAME ? dirname(path) : path;
}
