#!/usr/bin/env node
// Plain JavaScript that any Node can read: it finds the Node the application needs before anything else is loaded.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

process.env.ORT_DISABLE_TELEMETRY = '1';

const OLDEST_NODE = [22, 18];
const root = fileURLToPath(new URL('../..', import.meta.url));
const main = join(root, 'dist', 'node', 'cli.mjs');

/** better-sqlite3 needs Node 22; an older one crashes when it loads. */
function isTooOld(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
}

if (!existsSync(main)) {
  console.error('Hyaline has not been built. Run: npm run build');
  process.exitCode = 1;
} else if (isTooOld(process.versions.node)) {
  const bundled = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(bundled)) {
    const self = fileURLToPath(import.meta.url);
    const { status, signal } = spawnSync(bundled, [self, ...process.argv.slice(2)], { stdio: 'inherit' });
    process.exitCode = status ?? (signal === 'SIGINT' ? 130 : 1);
  } else {
    console.error(`Hyaline needs Node ${OLDEST_NODE.join('.')} or newer; this is ${process.versions.node}.`);
    process.exitCode = 1;
  }
} else {
  const { main: run } = await import(pathToFileURL(main).href);
  process.exitCode = await run(process.argv.slice(2));
}
