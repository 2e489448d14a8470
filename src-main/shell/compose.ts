import type { MenuCommand } from '../../src-shared/api/shell.ts';
import { AppError, toErrorPayload } from '../../src-shared/errors.ts';
import { aboutPanel } from './about.ts';
import { type CallContext, callHandlers, grantPath, openRecentFile } from './calls.ts';
import { guardContents } from './contents-guard.ts';
import { askAboutCrashDumps, chooseFiles } from './dialogs.ts';
import type { ElectronParts, ShellWindow } from './electron.ts';
import { allowedExternalUrl } from './external-links.ts';
import { registerCalls } from './ipc.ts';
import { JobActivity } from './job-activity.ts';
import { fileLog, type Log } from './log.ts';
import { type MenuActions, menuTemplate } from './menu.ts';
import { OpenFiles } from './open-files.ts';
import type { ShellPaths } from './paths.ts';
import { APP_SCHEME, createAppHandler } from './protocol.ts';
import { RecentFiles } from './recent-files.ts';
import { guardSession } from './session-guard.ts';
import { listStaticFiles } from './static-files.ts';
import type { EngineSupervisor } from './supervisor.ts';
import { Windows } from './windows.ts';

/** The application put together, not yet begun. */
export interface Shell {
  readonly supervisor: EngineSupervisor;
  readonly windows: Windows;
  readonly recent: RecentFiles;
  /** Files handed over by the system or a second instance; brings a window to the front. Works before `begin`, too. */
  openFromOutside(paths: readonly string[]): void;
  /** To be called once Electron is ready. */
  begin(firstFiles: readonly string[]): void;
}

export function composeShell(
  parts: ElectronParts,
  platform: NodeJS.Platform,
  paths: ShellPaths,
  supervisor: EngineSupervisor,
): Shell {
  const { app } = parts;
  const log = fileLog(paths.log);
  const devTools = !app.isPackaged;
  const windows = new Windows({
    parts,
    platform,
    preloadPath: paths.preload,
    iconPath: paths.icon,
    stateFile: paths.windowState,
    devTools,
    log,
  });
  const recent = new RecentFiles(paths.recentFiles, app);
  const openFiles = new OpenFiles(windows, (path) => grantPath(path, { supervisor, recent }));
  const context: CallContext = { parts, supervisor, windows, recent, openFiles, crashDumpFolder: paths.crashDumps };
  let begun = false;

  const showMenu = (): void => {
    const state = {
      platform,
      devTools,
      recent: recent.list(),
      commands: windows.commandsOf(windows.current()),
      hasWindow: windows.count > 0,
    };
    const template = menuTemplate(state, menuActions(context, paths));
    parts.Menu.setApplicationMenu(parts.Menu.buildFromTemplate([...template]));
  };

  return {
    supervisor,
    windows,
    recent,
    openFromOutside(files) {
      void openFiles.open(files);
      if (begun) windows.show(windows.current() ?? windows.create());
    },
    begin(firstFiles) {
      begun = true;
      guardSession(parts.session.defaultSession);
      app.on('web-contents-created', (_event, contents) => guardContents(contents, openAllowed(parts)));
      const files = listStaticFiles(paths.rendererFolder);
      const route = supervisor.route.bind(supervisor);
      parts.protocol.handle(APP_SCHEME, createAppHandler({ files, route }));
      registerCalls(parts.ipcMain, (id) => windows.find(id), callHandlers(context));
      app.setAboutPanelOptions(aboutPanel(app.getVersion(), paths.icon));
      followEngine(parts, supervisor, windows, log);
      followLife(parts, platform, supervisor, windows, log);
      windows.onChange(showMenu);
      recent.onChange(showMenu);
      supervisor.start();
      void openFiles.open(firstFiles);
      windows.create();
    },
  };
}

function openAllowed(parts: ElectronParts): (address: string) => void {
  return (address) => {
    const allowed = allowedExternalUrl(address);
    if (allowed !== null) void parts.shell.openExternal(allowed);
  };
}

/** Windows learn how the engine is; the system learns that it works. */
function followEngine(parts: ElectronParts, supervisor: EngineSupervisor, windows: Windows, log: Log): void {
  let blocker: number | null = null;
  const activity = new JobActivity({
    keepAwake(on) {
      if (blocker !== null) parts.powerSaveBlocker.stop(blocker);
      blocker = on ? parts.powerSaveBlocker.start('prevent-app-suspension') : null;
    },
    showProgress(value) {
      for (const window of windows.all()) if (!window.isDestroyed()) window.setProgressBar(value);
    },
  });
  supervisor.onEvent((event) => activity.note(event));
  supervisor.onStatus((status) => {
    if (status.state !== 'ready') activity.clear();
    log(
      `engine ${status.state}, generation ${status.generation}${status.error === null ? '' : `, ${status.error.code}`}`,
    );
    windows.broadcast('engineStatus', status);
  });
}

/** When the application ends, what it logs, and how macOS brings it back without a window. */
function followLife(
  { app }: ElectronParts,
  platform: NodeJS.Platform,
  supervisor: EngineSupervisor,
  windows: Windows,
  log: Log,
): void {
  app.on('child-process-gone', (_event, { type, reason, exitCode }) =>
    log(`process gone: ${type} ${reason} (${exitCode})`),
  );
  app.on('window-all-closed', () => {
    if (platform !== 'darwin') app.quit();
  });
  app.on('activate', () => {
    if (windows.count === 0) windows.create();
  });
  app.on('will-quit', (event) => {
    // The engine is given the time to store what it has and to release the store's lock.
    event.preventDefault();
    void supervisor.close().finally(() => app.exit(0));
  });
}

function menuActions(context: CallContext, paths: ShellPaths): MenuActions {
  const { parts, windows, recent, openFiles } = context;
  const inWindow = (act: (window: ShellWindow) => Promise<void> | void) => (): void => {
    const window = windows.current() ?? windows.create();
    void (async () => act(window))().catch((error: unknown) =>
      windows.send(window, 'openFailed', toErrorPayload(error)),
    );
  };
  return {
    open: inWindow(async (window) => openFiles.open(await chooseFiles(parts.dialog, window, 'any'))),
    openRecent: (id) =>
      inWindow(async (window) => windows.send(window, 'openFiles', [await openRecentFile(id, context)]))(),
    clearRecent: () => recent.clear(),
    newWindow: () => void windows.create(),
    run(command: MenuCommand) {
      const window = windows.current();
      if (window !== null) windows.send(window, 'menuCommand', command);
    },
    about: () => parts.app.showAboutPanel(),
    crashDumps: inWindow((window) => askAboutCrashDumps(parts, window, paths.crashDumps)),
    showLogs: inWindow(async () => {
      const failure = await parts.shell.openPath(paths.logFolder);
      if (failure !== '') throw new AppError('NotFound', 'There is no log yet.', { detail: failure });
    }),
  };
}
