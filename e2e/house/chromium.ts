import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { onPath } from '../../src-main/host/open-browser.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'];
const FIXED = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

/** The browser the end-to-end tests drive: HYALINE_CHROMIUM, else an installed one; null where there is none. */
export function findChromium(): string | null {
  const { HYALINE_CHROMIUM: chosen } = process.env;
  if (chosen !== undefined && existsSync(chosen)) {
    return chosen;
  }
  return onPath(NAMES) ?? FIXED.find(existsSync) ?? null;
}

/** Where there is no browser: installs Debian's, if this is Debian and we are root. Returns why not, or null. */
export function installChromium(): string | null {
  const apt = onPath(['apt-get']);
  if (apt === null || process.getuid?.() !== 0) {
    return 'no Chromium, Chrome or Edge is installed (set HYALINE_CHROMIUM to one)';
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', 'chromium'],
  ]) {
    const { status, stderr } = spawnSync(apt, args, { env, timeout: 300_000, encoding: 'utf8' });
    if (status !== 0) {
      return `Debian's Chromium could not be installed: ${stderr.trim().split('\n').at(-1) ?? 'apt-get failed'}`;
    }
  }
  return null;
}
