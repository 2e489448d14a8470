import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Two levels up from src-main/host and, built, from dist/node alike. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FROM_SOURCE = import.meta.url.endsWith('.ts');

/** Where the parts of this installation lie. */
export const installation = {
  root: ROOT,
  resourcesFolder: join(ROOT, 'resources'),
  rendererFolder: join(ROOT, 'dist', 'renderer'),
  /** Entry of the engine's thread: the source when run from source, else the built file. */
  engineThread: FROM_SOURCE
    ? new URL('./engine-thread.ts', import.meta.url)
    : new URL('./engine-thread.worker.mjs', import.meta.url),
} as const;

/** Version of this installation, from its package.json. */
export function appVersion(): string {
  return String(readPackage(join(ROOT, 'package.json'))?.version ?? 'unknown');
}

/** The version of an installed npm package; null where it is not there. */
export function packageVersion(name: string): string | null {
  const version = readPackage(join(ROOT, 'node_modules', name, 'package.json'))?.version;
  return typeof version === 'string' ? version : null;
}

/** True where Electron's runtime has been downloaded (npm brings only its description). */
export function electronExecutable(): string | null {
  const folder = join(ROOT, 'node_modules', 'electron');
  try {
    const path = join(folder, 'dist', readFileSync(join(folder, 'path.txt'), 'utf8').trim());
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}

function readPackage(path: string): Record<string, unknown> | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch {
    return null;
  }
}
