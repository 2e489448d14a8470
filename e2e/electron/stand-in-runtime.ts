import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A folder that electron-builder takes for an unpacked Electron: its files in name, and a program that holds nothing but
 * the fuse wire (sentinel, version 1, length, one byte a fuse as Electron 45 ships it). Packing with it goes through
 * every step that packing with the real one does.
 */
const FUSE_SENTINEL = 'dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX';
const SHIPPED_FUSES = '101100110';

export function makeStandInRuntime(folder: string): string {
  mkdirSync(join(folder, 'resources'), { recursive: true });
  mkdirSync(join(folder, 'locales'));
  const wire = Buffer.from([1, SHIPPED_FUSES.length]);
  const program = Buffer.concat([Buffer.from(`#!/bin/false\n${FUSE_SENTINEL}`), wire, Buffer.from(SHIPPED_FUSES)]);
  writeFileSync(join(folder, 'electron'), program, { mode: 0o755 });
  for (const name of ['LICENSE', 'LICENSES.chromium.html', 'version', 'chrome-sandbox', 'locales/en-US.pak']) {
    writeFileSync(join(folder, name), name);
  }
  return folder;
}
