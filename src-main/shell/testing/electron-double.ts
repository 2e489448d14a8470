import { EventEmitter } from 'node:events';
import type { ElectronParts, ShellApp, ShellSession, ShellWindow, WindowOptions } from '../electron.ts';
import { MessageChannelDouble } from './port-double.ts';
import { type ForkRecord, utilityProcessDouble } from './utility-double.ts';
import { type FrameDouble, WindowDouble } from './window-double.ts';

export interface DoubleOptions {
  /** Stands for `app.getPath`. */
  readonly folderFor: (name: string) => string;
  readonly appFolder: string;
  readonly packaged?: boolean;
  /** False: another instance holds the lock. */
  readonly firstInstance?: boolean;
  readonly displays?: readonly Electron.Rectangle[];
  /** Replaces the module of a fork (the built engine by its source). */
  readonly entryFor?: (modulePath: string) => string;
}

type InvokeHandler = (event: unknown, ...args: unknown[]) => unknown;

/** The guards a session was given, for a test to ask. */
export interface SessionRecord {
  permissionRequest: Parameters<ShellSession['setPermissionRequestHandler']>[0];
  permissionCheck: Parameters<ShellSession['setPermissionCheckHandler']>[0];
  device: Parameters<ShellSession['setDevicePermissionHandler']>[0];
  displayMedia: Parameters<ShellSession['setDisplayMediaRequestHandler']>[0];
  beforeRequest: ((details: { url: string }, callback: (answer: { cancel?: boolean }) => void) => void) | null;
  spellChecker: boolean | null;
  readonly events: EventEmitter;
}

/** The double and what a test sees and steers of it. */
export interface ElectronDouble {
  readonly parts: ElectronParts;
  readonly app: EventEmitter;
  readonly calls: readonly { readonly name: string; readonly args: readonly unknown[] }[];
  readonly windows: readonly WindowDouble[];
  readonly forks: readonly ForkRecord[];
  readonly session: SessionRecord;
  /** True when the main process answers calls on the channel. */
  hasHandler(channel: string): boolean;
  readonly schemes: readonly Electron.CustomScheme[];
  menu(): readonly Electron.MenuItemConstructorOptions[];
  /** What the dialogs answer next. */
  readonly answers: { open: readonly string[] | null; save: string | null; button: number };
  /** Electron becomes ready. */
  ready(): void;
  /** A page calls the main process; arguments and result are cloned, as between processes. */
  invoke(window: WindowDouble, channel: string, ...args: unknown[]): Promise<unknown>;
  /** The same with another sender than the window's own top frame. */
  invokeFrom(
    sender: { readonly id: number; readonly frame: FrameDouble | null },
    channel: string,
    ...args: unknown[]
  ): Promise<unknown>;
  /** A request of a page to a registered scheme. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
}

/**
 * The parts of Electron the shell uses, without Electron: windows without a screen, real child processes for the
 * engine, dialogs that answer as told. Type-checked against Electron's own declarations through ElectronParts.
 */
export function createElectronDouble(options: DoubleOptions): ElectronDouble {
  const calls: { name: string; args: readonly unknown[] }[] = [];
  const note = (name: string, ...args: unknown[]): void => void calls.push({ name, args });
  const windows: WindowDouble[] = [];
  const forks: ForkRecord[] = [];
  const handlers = new Map<string, InvokeHandler>();
  const schemes: Electron.CustomScheme[] = [];
  const schemeHandlers = new Map<string, (request: Request) => Response | Promise<Response>>();
  const answers: ElectronDouble['answers'] = { open: null, save: null, button: 0 };
  const appEvents = new EventEmitter();
  const session = sessionRecord();
  let menu: readonly Electron.MenuItemConstructorOptions[] = [];
  let becomeReady = (): void => undefined;
  let isReady = false;
  const whenReady = new Promise<void>((resolve) => {
    becomeReady = resolve;
  });
  /** Electron throws when these are used too early or too late. */
  const mustBeReady = (what: string): void => {
    if (!isReady) throw new Error(`${what} cannot be used before the app is ready`);
  };
  const mustNotBeReady = (what: string): void => {
    if (isReady) throw new Error(`${what} must be called before the app is ready`);
  };

  const app: ShellApp = {
    // Electron's overloads return the app itself; nothing here chains.
    on: ((name: string, listener: () => void) => appEvents.on(name, listener)) as never,
    enableSandbox() {
      mustNotBeReady('app.enableSandbox');
      note('enableSandbox');
    },
    whenReady: () => whenReady,
    quit() {
      note('quit');
      let prevented = false;
      appEvents.emit('will-quit', { preventDefault: () => (prevented = true) });
      if (!prevented) app.exit(0);
    },
    exit: (code) => note('exit', code),
    getPath: (name) => options.folderFor(name),
    getAppPath: () => options.appFolder,
    getVersion: () => '0.0.0-double',
    isPackaged: options.packaged ?? false,
    requestSingleInstanceLock: () => options.firstInstance ?? true,
    addRecentDocument: (path) => note('addRecentDocument', path),
    clearRecentDocuments: () => note('clearRecentDocuments'),
    setAboutPanelOptions: (panel) => note('setAboutPanelOptions', panel),
    showAboutPanel: () => note('showAboutPanel'),
    setAppUserModelId: (id) => note('setAppUserModelId', id),
  };

  class BrowserWindowDouble extends WindowDouble {
    constructor(windowOptions: WindowOptions) {
      mustBeReady('BrowserWindow');
      super(windows.length + 1, windowOptions);
      windows.push(this);
      this.on('closed', () => {
        if (windows.every(({ destroyed }) => destroyed)) appEvents.emit('window-all-closed');
      });
      appEvents.emit('web-contents-created', {}, this.contents);
    }
  }

  const parts: ElectronParts = {
    app,
    BrowserWindow: BrowserWindowDouble as unknown as new (options: WindowOptions) => ShellWindow,
    protocol: {
      registerSchemesAsPrivileged(custom) {
        mustNotBeReady('protocol.registerSchemesAsPrivileged');
        schemes.push(...custom);
      },
      handle(scheme, handler) {
        mustBeReady('protocol.handle');
        if (schemeHandlers.has(scheme)) throw new Error(`The scheme has been registered: ${scheme}`);
        schemeHandlers.set(scheme, handler);
      },
    },
    session: {
      get defaultSession() {
        mustBeReady('session');
        return sessionDouble(session);
      },
    },
    ipcMain: {
      handle(channel, handler) {
        if (handlers.has(channel)) throw new Error(`Attempted to register a second handler for '${channel}'`);
        handlers.set(channel, handler as InvokeHandler);
      },
    },
    dialog: {
      async showOpenDialog(window, dialogOptions) {
        note('showOpenDialog', window.id, dialogOptions);
        return { canceled: answers.open === null, filePaths: [...(answers.open ?? [])] };
      },
      async showSaveDialog(window, dialogOptions) {
        note('showSaveDialog', window.id, dialogOptions);
        return { canceled: answers.save === null, filePath: answers.save ?? '' };
      },
      async showMessageBox(window, dialogOptions) {
        note('showMessageBox', window.id, dialogOptions);
        return { response: answers.button };
      },
      showErrorBox: (title, content) => note('showErrorBox', title, content),
    },
    Menu: {
      buildFromTemplate: (template) => template as unknown as Electron.Menu,
      setApplicationMenu(built) {
        menu = built as unknown as Electron.MenuItemConstructorOptions[];
      },
    },
    MessageChannelMain: MessageChannelDouble,
    utilityProcess: {
      fork(...args) {
        mustBeReady('utilityProcess.fork');
        return utilityProcessDouble(forks, options.entryFor ?? ((path) => path)).fork(...args);
      },
    },
    screen: {
      getAllDisplays() {
        mustBeReady('screen');
        const areas = options.displays ?? [{ x: 0, y: 0, width: 1920, height: 1040 }];
        return areas.map((workArea) => ({ workArea }));
      },
    },
    shell: {
      openExternal: async (url) => note('openExternal', url),
      async openPath(path) {
        note('openPath', path);
        return '';
      },
    },
    powerSaveBlocker: {
      start(type) {
        note('powerSaveBlocker.start', type);
        return 7;
      },
      stop(id) {
        note('powerSaveBlocker.stop', id);
        return true;
      },
    },
    crashReporter: { start: (reporter) => note('crashReporter.start', reporter) },
  };

  const invokeFrom: ElectronDouble['invokeFrom'] = async (sender, channel, ...args) => {
    const handler = handlers.get(channel);
    if (handler === undefined) throw new Error(`No handler registered for '${channel}'`);
    const event = { type: 'frame', sender: { id: sender.id }, senderFrame: sender.frame, frameId: 1, processId: 1 };
    return structuredClone(await handler(event, ...structuredClone(args)));
  };

  return {
    parts,
    app: appEvents,
    calls,
    windows,
    forks,
    session,
    hasHandler: (channel) => handlers.has(channel),
    schemes,
    answers,
    menu: () => menu,
    ready() {
      isReady = true;
      becomeReady();
    },
    invoke: (window, channel, ...args) =>
      invokeFrom({ id: window.contents.id, frame: window.contents.frame }, channel, ...args),
    invokeFrom,
    async fetch(url, init) {
      const handler = schemeHandlers.get(new URL(url).protocol.slice(0, -1));
      if (handler === undefined) throw new TypeError('net::ERR_UNKNOWN_URL_SCHEME');
      return handler(new Request(url, init));
    },
  };
}

function sessionRecord(): SessionRecord {
  return {
    permissionRequest: null,
    permissionCheck: null,
    device: null,
    displayMedia: null,
    beforeRequest: null,
    spellChecker: null,
    events: new EventEmitter(),
  };
}

function sessionDouble(record: SessionRecord): ShellSession {
  return {
    on: ((name: string, listener: () => void) => record.events.on(name, listener)) as never,
    setPermissionRequestHandler(handler) {
      record.permissionRequest = handler;
    },
    setPermissionCheckHandler(handler) {
      record.permissionCheck = handler;
    },
    setDevicePermissionHandler(handler) {
      record.device = handler;
    },
    setDisplayMediaRequestHandler(handler) {
      record.displayMedia = handler;
    },
    setSpellCheckerEnabled(enable) {
      record.spellChecker = enable;
    },
    webRequest: {
      onBeforeRequest: ((listener: NonNullable<SessionRecord['beforeRequest']>) => {
        record.beforeRequest = listener;
      }) as never,
    },
  };
}
