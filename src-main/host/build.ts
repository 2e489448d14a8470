import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What is built: a Vite configuration, the folders its result depends on and a file it makes. */
interface Part {
  readonly name: string;
  readonly config: string;
  readonly sources: readonly string[];
  readonly result: string;
}

const PARTS: readonly Part[] = [
  {
    name: 'interface',
    config: 'vite.renderer.config.ts',
    sources: ['src-renderer', 'src-shared'],
    result: 'dist/renderer/index.html',
  },
  {
    name: 'engine',
    config: 'vite.engine.config.ts',
    sources: ['src-main/engine', 'src-main/host', 'src-shared'],
    result: 'dist/node/cli.mjs',
  },
  {
    name: 'shell',
    config: 'vite.shell.config.ts',
    sources: ['src-main/shell', 'src-shared'],
    result: 'dist/shell/main.mjs',
  },
  {
    name: 'preload',
    config: 'vite.preload.config.ts',
    sources: ['src-main/preload', 'src-shared'],
    result: 'dist/preload/preload.cjs',
  },
];

/**
 * Builds what has changed since it was last built and returns the names of the parts built. A part is current when its
 * sources, its configuration and the lockfile hash to what they did then.
 * @param only names of parts; empty = all.
 */
export async function buildChanged(
  log: (line: string) => void,
  only: readonly string[] = [],
): Promise<readonly string[]> {
  const built: string[] = [];
  for (const part of PARTS) {
    if (!existsSync(join(ROOT, part.config)) || (only.length > 0 && !only.includes(part.name))) {
      continue;
    }
    const stampPath = join(ROOT, 'dist', '.built', `${part.name}.sha256`);
    const stamp = await hashOf([...part.sources, part.config, 'package-lock.json']);
    if (existsSync(join(ROOT, part.result)) && (await readOrEmpty(stampPath)) === stamp) {
      continue;
    }
    log(`Building the ${part.name}`);
    await rm(stampPath, { force: true });
    await build({
      root: rootOf(part),
      configFile: join(ROOT, part.config),
      logLevel: 'warn',
      // A slow machine is no fault of the build.
      build: { rollupOptions: { checks: { pluginTimings: false } } },
    });
    await mkdir(dirname(stampPath), { recursive: true });
    await writeFile(stampPath, stamp);
    built.push(part.name);
  }
  return built;
}

/** Given outright, because Vite would resolve a configuration's own root from the working directory. */
function rootOf(part: Part): string {
  return part.name === 'interface' ? join(ROOT, 'src-renderer') : ROOT;
}

/** SHA-256 over names and contents of all files below the given paths; tests do not count. */
async function hashOf(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    for (const file of await filesBelow(join(ROOT, path))) {
      hash.update(`${file}\0`).update(await readFile(file));
    }
  }
  return hash.digest('hex');
}

async function filesBelow(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => null);
  if (entries === null) {
    return [path];
  }
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function readOrEmpty(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const built = await buildChanged((line) => console.log(line), process.argv.slice(2));
  console.log(built.length === 0 ? 'Nothing has changed since the last build.' : `Built: ${built.join(', ')}.`);
}
