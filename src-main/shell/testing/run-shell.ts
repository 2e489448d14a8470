import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GrantedFile, ShellResult } from '../../../src-shared/api/shell.ts';
import {
  callChannel,
  eventChannel,
  type ShellCallName,
  type ShellEventPayloads,
} from '../../../src-shared/api/shell-channels.ts';
import { type ShellEnvironment, startShell } from '../app.ts';
import type { Shell } from '../compose.ts';
import { createElectronDouble, type DoubleOptions, type ElectronDouble } from './electron-double.ts';
import type { WindowDouble } from './window-double.ts';

export const SMALL_ENGINE = fileURLToPath(new URL('./small-engine.ts', import.meta.url));

export interface RunningShell {
  readonly double: ElectronDouble;
  readonly folder: string;
  /** Null where `startShell` gave up at once. */
  readonly shell: Shell | null;
  /** The newest window. */
  window(): WindowDouble;
  /** A call from the top frame of a window. */
  call(name: ShellCallName, ...args: readonly unknown[]): Promise<ShellResult<unknown>>;
  /** A file in the test's own folder. */
  file(name: string, content?: string): string;
  close(): Promise<void>;
}

export interface ShellSetUp extends Partial<Omit<DoubleOptions, 'folderFor' | 'appFolder'>> {
  readonly platform?: NodeJS.Platform;
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Folder of an application that has been built; without it an empty page and the small engine. */
  readonly appFolder?: string;
  /** Called after `startShell` and before Electron is ready. */
  readonly beforeReady?: (double: ElectronDouble) => void;
  /** Continues in the folder of an earlier run. */
  readonly folder?: string;
  readonly restartLimits?: ShellEnvironment['restartLimits'];
}

/** Waits, up to six seconds, for something to become true. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  if (!condition()) throw new Error(`waited in vain for ${condition.toString()}`);
}

/** What a window was sent of one event, in order. */
export const received = (window: WindowDouble, name: keyof ShellEventPayloads): readonly unknown[] =>
  window.contents.sent.filter(({ channel }) => channel === eventChannel(name)).map(({ args }) => args[0]);

/** Names of the files a window was told to open. */
export const openedNames = (window: WindowDouble): readonly string[] =>
  received(window, 'openFiles').flatMap((files) => (files as GrantedFile[]).map(({ fileName }) => fileName));

/** Starts the real shell under the double, in a folder of its own. */
export async function runShell(setUp: ShellSetUp = {}): Promise<RunningShell> {
  const folder = setUp.folder ?? mkdtempSync(join(tmpdir(), 'hyaline-shell-'));
  const appFolder = setUp.appFolder ?? emptyApplication(folder);
  const double = createElectronDouble({
    ...setUp,
    appFolder,
    folderFor: (name) => join(folder, name),
    ...(setUp.appFolder === undefined ? { entryFor: () => SMALL_ENGINE } : {}),
  });
  const started = startShell(double.parts, {
    platform: setUp.platform ?? 'linux',
    argv: setUp.argv ?? ['electron', '.'],
    env: { ...process.env, HYALINE_STORE: join(folder, 'store'), ...setUp.env } as Record<string, string>,
    workingFolder: folder,
    resourcesPath: join(folder, 'installation'),
    restartLimits: setUp.restartLimits ?? { firstDelayMs: 20, maxDelayMs: 100, maxCrashes: 3, healthyAfterMs: 60_000 },
  });
  setUp.beforeReady?.(double);
  double.ready();
  const shell = await started;
  const window = (): WindowDouble => {
    const newest = double.windows.at(-1);
    if (newest === undefined) throw new Error('no window has been opened');
    return newest;
  };
  return {
    double,
    folder,
    shell,
    window,
    call: async (name, ...args) => (await double.invoke(window(), callChannel(name), ...args)) as ShellResult<unknown>,
    file(name, content = 'content') {
      const path = join(folder, name);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, content);
      return path;
    },
    async close() {
      await shell?.supervisor.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function emptyApplication(folder: string): string {
  const renderer = join(folder, 'application', 'dist', 'renderer');
  mkdirSync(renderer, { recursive: true });
  writeFileSync(join(renderer, 'index.html'), '<!doctype html><title>Hyaline</title>');
  return join(folder, 'application');
}
