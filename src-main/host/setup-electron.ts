import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { electronExecutable, packageVersion } from './installation.ts';

/** `npm run setup:electron`: fetches Electron's runtime, which npm does not carry, with Electron's own installer. */
const NETWORK_FAULT =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|fetch failed|RequestError/;

if (electronExecutable() !== null) {
  console.log(`Electron ${packageVersion('electron')} is installed.`);
} else {
  process.exitCode = await install();
}

async function install(): Promise<number> {
  const installer = createRequire(import.meta.url).resolve('electron/install.js');
  console.log(`Downloading Electron ${packageVersion('electron')} from github.com (about 120 MB)`);
  const child = spawn(process.execPath, [installer], { stdio: ['ignore', 'inherit', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString('utf8');
  });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  if (code === 0 && electronExecutable() !== null) {
    console.log('Electron is installed. Start the desktop application with npm start.');
    return 0;
  }
  console.error(
    NETWORK_FAULT.test(complaint)
      ? 'Electron could not be downloaded: github.com cannot be reached from here. Try again with a network connection, ' +
          'or set ELECTRON_MIRROR to a mirror. Until then npm start opens Hyaline in the browser.'
      : `Electron could not be installed: ${complaint.trim().split('\n')[0] ?? 'no reason given'}`,
  );
  return 1;
}
