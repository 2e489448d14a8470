import type { MenuCommand } from '../../src-shared/api/shell.ts';
import { eventChannel, type ShellEventPayloads } from '../../src-shared/api/shell-channels.ts';
import { START_URL } from './contents-guard.ts';
import type { ElectronParts, ShellWindow, WindowOptions } from './electron.ts';
import { Listeners } from './listeners.ts';
import type { Log } from './log.ts';
import { APP_ORIGIN } from './protocol.ts';
import { RestartPolicy } from './restart-policy.ts';
import { keepWindowState, MIN_SIZE, placeWindow, readWindowState } from './window-state.ts';

export interface WindowsOptions {
  readonly parts: Pick<ElectronParts, 'BrowserWindow' | 'screen' | 'dialog'>;
  readonly platform: NodeJS.Platform;
  readonly preloadPath: string;
  readonly iconPath: string;
  /** Where the place of the last window is kept. */
  readonly stateFile: string;
  /** Developer tools: never in the packaged application. */
  readonly devTools: boolean;
  readonly log: Log;
}

/** The settings that make a page harmless: each of them is a default of Electron's or stricter, and none is left to it. */
export function securePreferences(
  preloadPath: string,
  devTools: boolean,
): NonNullable<WindowOptions['webPreferences']> {
  return {
    preload: preloadPath,
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webSecurity: true,
    allowRunningInsecureContent: false,
    experimentalFeatures: false,
    webviewTag: false,
    navigateOnDragDrop: false,
    spellcheck: false,
    safeDialogs: true,
    devTools,
  };
}

interface OpenWindow {
  readonly window: ShellWindow;
  /** What the renderer says it can do now. */
  commands: readonly MenuCommand[];
}

/** The windows of the application: makes them, remembers their place, knows the one in use, and talks to their pages. */
export class Windows {
  readonly #options: WindowsOptions;
  readonly #open = new Map<number, OpenWindow>();
  readonly #changed = new Listeners<void>();
  #lastFocused: number | null = null;

  constructor(options: WindowsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Windows opened, closed, focused, or able to do something else than before. */
  onChange(listener: () => void): () => void {
    return this.#changed.add(listener);
  }

  all(): readonly ShellWindow[] {
    return [...this.#open.values()].map(({ window }) => window);
  }

  find(webContentsId: number): ShellWindow | null {
    return this.#open.get(webContentsId)?.window ?? null;
  }

  /** The window in use, or used last, or any; null when none is open. */
  current(): ShellWindow | null {
    const last = this.#lastFocused === null ? undefined : this.#open.get(this.#lastFocused);
    return last?.window ?? this.all().at(-1) ?? null;
  }

  commandsOf(window: ShellWindow | null): readonly MenuCommand[] {
    return window === null ? [] : (this.#open.get(window.webContents.id)?.commands ?? []);
  }

  setCommands(window: ShellWindow, commands: readonly MenuCommand[]): void {
    const entry = this.#open.get(window.webContents.id);
    if (entry === undefined) return;
    entry.commands = commands;
    this.#changed.emit();
  }

  create(): ShellWindow {
    const { parts, platform, preloadPath, iconPath, stateFile, devTools } = this.#options;
    const state = readWindowState(stateFile);
    const workAreas = parts.screen.getAllDisplays().map(({ workArea }) => workArea);
    const window = new parts.BrowserWindow({
      ...placeWindow(state, this.#open.size, workAreas),
      minWidth: MIN_SIZE.width,
      minHeight: MIN_SIZE.height,
      title: 'Hyaline',
      backgroundColor: '#14171c',
      show: false,
      autoHideMenuBar: platform !== 'darwin',
      fullscreen: state.fullScreen && this.#open.size === 0,
      ...(platform === 'linux' ? { icon: iconPath } : {}),
      webPreferences: securePreferences(preloadPath, devTools),
    });
    this.#open.set(window.webContents.id, { window, commands: [] });
    this.#watch(window);
    window.once('ready-to-show', () => {
      if (state.maximized && this.#open.size === 1) window.maximize();
      window.show();
    });
    void window.loadURL(START_URL);
    this.#changed.emit();
    return window;
  }

  /** Brings the window in use to the front. */
  show(window: ShellWindow): void {
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
  }

  /** Sends to a window's page, unless it has left the application's origin or is gone. */
  send<K extends keyof ShellEventPayloads>(window: ShellWindow, name: K, payload: ShellEventPayloads[K]): void {
    if (window.isDestroyed() || window.webContents.isDestroyed()) return;
    if (window.webContents.mainFrame.origin !== APP_ORIGIN) return;
    window.webContents.send(eventChannel(name), payload);
  }

  broadcast<K extends keyof ShellEventPayloads>(name: K, payload: ShellEventPayloads[K]): void {
    for (const window of this.all()) this.send(window, name, payload);
  }

  #watch(window: ShellWindow): void {
    const { parts, stateFile, log } = this.#options;
    const id = window.webContents.id;
    const reloads = new RestartPolicy();
    let shownAtMs = performance.now();
    window.on('focus', () => {
      this.#lastFocused = id;
      this.#changed.emit();
    });
    window.on('close', () => keepWindowState(stateFile, window));
    window.on('closed', () => {
      this.#open.delete(id);
      if (this.#lastFocused === id) this.#lastFocused = null;
      this.#changed.emit();
    });
    window.webContents.on('render-process-gone', (_event, { reason, exitCode }) => {
      log(`renderer gone: ${reason} (${exitCode})`);
      if (reason === 'clean-exit' || window.isDestroyed()) return;
      const delayMs = reloads.crashed(performance.now() - shownAtMs);
      shownAtMs = performance.now();
      if (delayMs !== null) window.webContents.reload();
      else
        parts.dialog.showErrorBox('Hyaline', 'This window stopped several times in a row. Close it and open another.');
    });
  }
}
