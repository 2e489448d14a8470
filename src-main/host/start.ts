import './environment.ts';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildChanged } from './build.ts';
import { electronExecutable, installation } from './installation.ts';

/**
 * `npm start`: builds what has changed, then opens the desktop application where Electron's runtime is here, else the
 * same workstation in the installed browser. Downloads nothing.
 */
await buildChanged((line) => console.log(line));
const electron = electronExecutable();
const shell = join(installation.root, 'dist', 'shell', 'main.mjs');
process.exitCode = electron !== null && existsSync(shell) ? await runElectron(electron) : await runInBrowser();

function runElectron(executable: string): Promise<number> {
  // Left over from an editor's terminal, this would make Electron run as plain Node.
  const { ELECTRON_RUN_AS_NODE: _unused, ...env } = process.env;
  const child = spawn(executable, [installation.root, ...process.argv.slice(2)], { stdio: 'inherit', env });
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(`Electron did not start: ${error.message}`);
      resolve(1);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function runInBrowser(): Promise<number> {
  console.log('Electron is not installed; run npm run setup:electron');
  const cli = pathToFileURL(join(installation.root, 'dist', 'node', 'cli.mjs')).href;
  const { main } = (await import(cli)) as typeof import('./cli.ts');
  return main(['demo', ...process.argv.slice(2)]);
}
