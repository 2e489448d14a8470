import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Browsers that can show a page as a window of its own, without address bar, best first. */
const APP_BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'];
const WINDOWS_BROWSERS = ['Google\\Chrome\\Application\\chrome.exe', 'Microsoft\\Edge\\Application\\msedge.exe'];
const MAC_BROWSERS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** What shows the interface here, and how it is started; null where there is no display or no browser. */
export interface BrowserChoice {
  readonly name: string;
  readonly program: string;
  argumentsFor(url: string): readonly string[];
}

/** The installed browser: an app window where one can be had, else whatever the system opens addresses with. */
export function findBrowser(env: NodeJS.ProcessEnv = process.env): BrowserChoice | null {
  if (process.platform === 'win32') {
    const roots = [env.ProgramFiles, env['ProgramFiles(x86)'], env.LOCALAPPDATA].filter((root) => root !== undefined);
    const found = roots.flatMap((root) => WINDOWS_BROWSERS.map((name) => join(root, name))).find(existsSync);
    return found === undefined ? systemOpener('cmd', ['/c', 'start', '']) : appWindow(found);
  }
  if (process.platform === 'darwin') {
    const found = MAC_BROWSERS.find(existsSync);
    return found === undefined ? systemOpener('open', []) : appWindow(found);
  }
  if (!env.DISPLAY && !env.WAYLAND_DISPLAY) {
    return null;
  }
  // Chromium refuses to run as root with its sandbox, and it is not for us to switch that off.
  const isRoot = process.getuid?.() === 0;
  const found = isRoot ? null : onPath(APP_BROWSERS, env);
  const opener = onPath(['xdg-open', 'firefox'], env);
  return found !== null ? appWindow(found) : opener === null ? null : systemOpener(opener, []);
}

/** Opens an address; false where it could not be started. The browser lives on by itself. */
export function openInBrowser(url: string, choice: BrowserChoice): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(choice.program, choice.argumentsFor(url), { detached: true, stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
}

/** The first of these programs on PATH, as a full path. */
export function onPath(names: readonly string[], env: NodeJS.ProcessEnv = process.env): string | null {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not there: the next folder.
      }
    }
  }
  return null;
}

function appWindow(program: string): BrowserChoice {
  return { name: program, program, argumentsFor: (url) => [`--app=${url}`] };
}

function systemOpener(program: string, before: readonly string[]): BrowserChoice {
  return { name: program, program, argumentsFor: (url) => [...before, url] };
}
