/// <reference types="electron" />

/**
 * The parts of Electron the shell uses, as narrow views of Electron's own types. Modules take them as parameters, so
 * that they run, unchanged, under the double in `testing/`. Only `main.ts` imports Electron as a value.
 */
export type ShellApp = Pick<
  Electron.App,
  | 'on'
  | 'enableSandbox'
  | 'whenReady'
  | 'quit'
  | 'exit'
  | 'getPath'
  | 'getAppPath'
  | 'getVersion'
  | 'isPackaged'
  | 'requestSingleInstanceLock'
  | 'addRecentDocument'
  | 'clearRecentDocuments'
  | 'setAboutPanelOptions'
  | 'showAboutPanel'
  | 'setAppUserModelId'
>;

/** A frame as the sender checks see it. */
export type ShellFrame = Pick<Electron.WebFrameMain, 'url' | 'origin' | 'parent'>;

export type ShellWebContents = Pick<
  Electron.WebContents,
  'id' | 'on' | 'send' | 'postMessage' | 'setWindowOpenHandler' | 'isDestroyed' | 'reload'
> & { readonly mainFrame: ShellFrame };

export type ShellWindow = Pick<
  Electron.BrowserWindow,
  | 'id'
  | 'on'
  | 'once'
  | 'loadURL'
  | 'show'
  | 'focus'
  | 'close'
  | 'destroy'
  | 'restore'
  | 'maximize'
  | 'isMinimized'
  | 'isMaximized'
  | 'isFullScreen'
  | 'setFullScreen'
  | 'isFocused'
  | 'isDestroyed'
  | 'getNormalBounds'
  | 'setProgressBar'
> & { readonly webContents: ShellWebContents };

export type WindowOptions = Electron.BrowserWindowConstructorOptions;

export type ShellProtocol = Pick<Electron.Protocol, 'registerSchemesAsPrivileged' | 'handle'>;

export type ShellSession = Pick<
  Electron.Session,
  | 'on'
  | 'setPermissionRequestHandler'
  | 'setPermissionCheckHandler'
  | 'setDevicePermissionHandler'
  | 'setDisplayMediaRequestHandler'
  | 'setSpellCheckerEnabled'
> & { readonly webRequest: Pick<Electron.WebRequest, 'onBeforeRequest'> };

export type ShellPort = Pick<Electron.MessagePortMain, 'on' | 'postMessage' | 'start' | 'close'>;

export type EngineChild = Pick<Electron.UtilityProcess, 'pid' | 'on' | 'once' | 'postMessage' | 'kill'>;

export type ShellIpc = Pick<Electron.IpcMain, 'handle'>;

/** What `main.ts` hands to `startShell`: Electron itself (a type error there means it no longer fits), or the double. */
export interface ElectronParts {
  readonly app: ShellApp;
  readonly BrowserWindow: new (options: WindowOptions) => ShellWindow;
  readonly protocol: ShellProtocol;
  readonly session: { readonly defaultSession: ShellSession };
  readonly ipcMain: ShellIpc;
  readonly dialog: ShellDialog;
  readonly Menu: ShellMenu;
  readonly MessageChannelMain: new () => { readonly port1: ShellPort; readonly port2: ShellPort };
  readonly utilityProcess: {
    fork(modulePath: string, args: string[], options: Electron.ForkOptions): EngineChild;
  };
  readonly screen: ShellScreen;
  readonly shell: Pick<Electron.Shell, 'openExternal' | 'openPath'>;
  readonly powerSaveBlocker: Pick<Electron.PowerSaveBlocker, 'start' | 'stop'>;
  readonly crashReporter: Pick<Electron.CrashReporter, 'start'>;
}

export interface ShellScreen {
  getAllDisplays(): readonly { readonly workArea: Electron.Rectangle }[];
}

/** The dialogs in their forms with a parent window. */
export interface ShellDialog {
  showOpenDialog(
    window: ShellWindow,
    options: Electron.OpenDialogOptions,
  ): Promise<Pick<Electron.OpenDialogReturnValue, 'canceled' | 'filePaths'>>;
  showSaveDialog(
    window: ShellWindow,
    options: Electron.SaveDialogOptions,
  ): Promise<Pick<Electron.SaveDialogReturnValue, 'canceled' | 'filePath'>>;
  showMessageBox(
    window: ShellWindow,
    options: Electron.MessageBoxOptions,
  ): Promise<Pick<Electron.MessageBoxReturnValue, 'response'>>;
  showErrorBox(title: string, content: string): void;
}

export type MenuTemplate = readonly Electron.MenuItemConstructorOptions[];

export interface ShellMenu {
  buildFromTemplate(template: Electron.MenuItemConstructorOptions[]): Electron.Menu;
  setApplicationMenu(menu: Electron.Menu | null): void;
}
