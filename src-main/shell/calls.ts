import { basename } from 'node:path';
import { routes } from '../../src-shared/api/routes.ts';
import type { GrantedFile } from '../../src-shared/api/shell.ts';
import { ENGINE_PORT_CHANNEL } from '../../src-shared/api/shell-channels.ts';
import { AppError, fromErrorPayload, hasCode } from '../../src-shared/errors.ts';
import { checkChosenFile } from './chosen-file.ts';
import { countCrashDumps, purgeCrashDumps } from './crash-dumps.ts';
import { chooseFiles, chooseSaveTarget } from './dialogs.ts';
import type { ElectronParts } from './electron.ts';
import { allowedExternalUrl } from './external-links.ts';
import type { CallHandlers } from './ipc.ts';
import type { OpenFiles } from './open-files.ts';
import type { RecentFiles } from './recent-files.ts';
import { writeWhole } from './save-export.ts';
import type { EngineSupervisor } from './supervisor.ts';
import type { Windows } from './windows.ts';

export interface CallContext {
  readonly parts: Pick<ElectronParts, 'app' | 'dialog' | 'shell' | 'MessageChannelMain'>;
  readonly supervisor: EngineSupervisor;
  readonly windows: Windows;
  readonly recent: RecentFiles;
  readonly openFiles: OpenFiles;
  readonly crashDumpFolder: string;
}

/** Checks a path, has the engine grant it, and puts slides and models on the list of recent files unless told not to. */
export async function grantPath(
  path: string,
  { supervisor, recent }: Pick<CallContext, 'supervisor' | 'recent'>,
  remembered = true,
): Promise<GrantedFile> {
  const { path: real, fileName, sizeBytes, kind } = await checkChosenFile(path);
  if (kind === 'project') {
    throw new AppError('NotAllowed', `“${fileName}” holds a study, which this version does not open yet.`, {
      advice: 'Open the slides of the study instead.',
    });
  }
  const grant = await supervisor.grant(real);
  if (remembered && (kind === 'slide' || kind === 'model')) recent.add(real);
  return { grant, fileName, sizeBytes, kind };
}

/** What each call of the shell does. Senders and arguments have been checked by then. */
export function callHandlers(context: CallContext): CallHandlers {
  const { parts, supervisor, windows, recent, openFiles, crashDumpFolder } = context;
  return {
    async connectEngine(window) {
      const { port1, port2 } = new parts.MessageChannelMain();
      try {
        const generation = await supervisor.connect(port1);
        window.webContents.postMessage(ENGINE_PORT_CHANNEL, generation, [port2 as Electron.MessagePortMain]);
        return { generation };
      } catch (error) {
        port1.close();
        throw error;
      }
    },
    engineStatus: () => supervisor.status,
    restartEngine() {
      supervisor.restart();
      return null;
    },

    async openFiles(window, kind) {
      const paths = await chooseFiles(parts.dialog, window, kind);
      // PyTorch's .pt may be a model, too.
      return Promise.all(paths.map((path) => grantPath(path, context, kind !== 'features')));
    },
    recentFiles: () => recent.list(),
    openRecent: (_window, id) => openRecentFile(id, context),
    clearRecentFiles() {
      recent.clear();
      return null;
    },
    grantForPath: (_window, path) => grantPath(path, context),
    async wantOpenFiles(window) {
      await openFiles.windowListens(window);
      return null;
    },

    saveExport: (window, id, suggestedName) => saveExport(context, window, id, suggestedName),

    newWindow() {
      windows.create();
      return null;
    },
    showAbout() {
      parts.app.showAboutPanel();
      return null;
    },
    toggleFullScreen(window) {
      const fullScreen = !window.isFullScreen();
      window.setFullScreen(fullScreen);
      return { fullScreen };
    },
    async openExternal(_window, url) {
      const address = allowedExternalUrl(url);
      if (address === null) throw new AppError('NotAllowed', 'Hyaline does not open this address.');
      await parts.shell.openExternal(address);
      return null;
    },
    setMenuCommands(window, commands) {
      windows.setCommands(window, commands);
      return null;
    },

    crashDumps: () => countCrashDumps(crashDumpFolder),
    purgeCrashDumps: () => purgeCrashDumps(crashDumpFolder),
    async showCrashDumps() {
      const failure = await parts.shell.openPath(crashDumpFolder);
      if (failure !== '') throw new AppError('NotFound', 'There is no folder of crash dumps yet.', { detail: failure });
      return null;
    },
  };
}

/** Opens a recent file; one that is gone leaves the list. */
export async function openRecentFile(
  id: string,
  context: Pick<CallContext, 'supervisor' | 'recent'>,
): Promise<GrantedFile> {
  try {
    return await grantPath(context.recent.pathOf(id), context);
  } catch (error) {
    if (hasCode(error, 'FileUnreadable')) context.recent.forget(id);
    throw error;
  }
}

const saveExport: (
  context: CallContext,
  ...args: Parameters<CallHandlers['saveExport']>
) => Promise<{
  readonly fileName: string;
} | null> = async ({ parts, supervisor }, window, id, suggestedName) => {
  const { status, body } = await supervisor.route('GET', routes.download(id));
  if (status !== 200) throw exportError(body);
  const target = await chooseSaveTarget(parts.dialog, window, suggestedName);
  if (target === null) return null;
  await writeWhole(target, body);
  return { fileName: basename(target) };
};

/** The engine's own sentence for a download that failed. */
function exportError(body: Uint8Array): AppError {
  try {
    return fromErrorPayload(JSON.parse(Buffer.from(body).toString('utf8')));
  } catch {
    return new AppError('NotFound', 'This export is no longer there.', { advice: 'Make it again.' });
  }
}
