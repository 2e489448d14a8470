import { createRequire } from 'node:module';
import { electronExecutable, packageVersion } from './installation.ts';
import { firstLine, runInstaller } from './run-installer.ts';

/** `npm run setup:electron`: fetches Electron's runtime, which npm does not carry, with Electron's own installer. */
if (electronExecutable() !== null) {
  console.log(`Electron ${packageVersion('electron')} is installed.`);
} else {
  process.exitCode = await install();
}

async function install(): Promise<number> {
  const installer = createRequire(import.meta.url).resolve('electron/install.js');
  console.log(`Downloading Electron ${packageVersion('electron')} from github.com (about 120 MB)`);
  const { code, complaint, unreachable } = await runInstaller(installer);
  if (code === 0 && electronExecutable() !== null) {
    console.log('Electron is installed. Start the desktop application with npm start.');
    return 0;
  }
  console.error(
    unreachable
      ? 'Electron could not be downloaded: github.com cannot be reached from here. Try again with a network connection, ' +
          'or set ELECTRON_MIRROR to a mirror. Until then npm start opens Hyaline in the browser.'
      : `Electron could not be installed: ${firstLine(complaint)}`,
  );
  return 1;
}
