import { mkdtempSync, rmSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createElectronDouble } from '../../src-main/shell/testing/electron-double.ts';
import { callChannel } from '../../src-shared/api/shell-channels.ts';

/**
 * Runs the built main process, dist/shell/main.mjs, as Electron would, with the double as the module `electron`. Prints
 * what came of it as JSON and ends when the application exits. For built-main.test.ts.
 */
/** Folder of the application as built. */
const ROOT = process.argv[2] ?? '';
const folder = mkdtempSync(join(tmpdir(), 'hyaline-main-'));
process.env.HYALINE_STORE = join(folder, 'store');
// Electron sets it; Node does not.
Object.assign(process, { resourcesPath: join(folder, 'resources') });

const double = createElectronDouble({ appFolder: ROOT, folderFor: (name) => join(folder, name) });
Object.assign(globalThis, { electronDouble: double.parts });
const names = Object.keys(double.parts);
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'electron'
      ? { url: 'electron:double', format: 'module', shortCircuit: true }
      : next(specifier, context),
  load: (url, context, next) =>
    url === 'electron:double'
      ? {
          format: 'module',
          shortCircuit: true,
          source: `export const { ${names.join(', ')} } = globalThis.electronDouble;`,
        }
      : next(url, context),
});

await import(pathToFileURL(join(ROOT, 'dist', 'shell', 'main.mjs')).href);
double.ready();
await new Promise((resolve) => setImmediate(resolve));
const [window] = double.windows;
if (window === undefined) throw new Error('no window');
const connected = await double.invoke(window, callChannel('connectEngine'));
const page = await double.fetch('app://hyaline/');
const asset = /(assets\/[\w-]+\.js)/.exec(await page.text())?.[1] ?? 'none';
const script = await double.fetch(`app://hyaline/${asset}`);
window.close();
while (!double.calls.some(({ name }) => name === 'exit')) await new Promise((resolve) => setTimeout(resolve, 20));
console.log(
  JSON.stringify({
    connected,
    preload: window.options.webPreferences?.preload,
    page: page.status,
    script: [script.status, script.headers.get('content-type')],
    schemes: double.schemes,
    engineExit: double.forks[0]?.child.exitCode,
  }),
);
rmSync(folder, { recursive: true, force: true });
process.exit(0);
