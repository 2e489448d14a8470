import { FILE_EXTENSIONS, MORE_EXTENSIONS } from '../../src-shared/api/file-kinds.ts';
import type { OpenKind } from '../../src-shared/api/shell.ts';
import { countCrashDumps, purgeCrashDumps } from './crash-dumps.ts';
import type { ElectronParts, ShellDialog, ShellWindow } from './electron.ts';
import { safeFileName } from './save-export.ts';

const SLIDES = { name: 'Slides', extensions: [...FILE_EXTENSIONS.slide, ...MORE_EXTENSIONS.slide] };
const MODELS = { name: 'Models', extensions: [...FILE_EXTENSIONS.model] };
const EVERYTHING = {
  name: 'Everything Hyaline opens',
  extensions: [...SLIDES.extensions, ...FILE_EXTENSIONS.model, ...FILE_EXTENSIONS.project],
};

const FILTERS: Readonly<Record<OpenKind, Electron.FileFilter[]>> = {
  slide: [SLIDES],
  model: [MODELS],
  any: [EVERYTHING, SLIDES, MODELS],
  table: [{ name: 'Tables', extensions: [...MORE_EXTENSIONS.table] }],
  image: [{ name: 'Images', extensions: ['png', 'jpg', 'jpeg'] }],
  features: [{ name: 'Features', extensions: [...MORE_EXTENSIONS.features, 'pt'] }],
  folder: [],
  'task-folder': [],
  'annotated-folder': [],
  'mirror-folder': [],
  'feature-folder': [],
};

const TITLES: Readonly<Record<OpenKind, string>> = {
  slide: 'Open slides',
  any: 'Open slides',
  model: 'Open a model',
  table: 'Choose a list of slides',
  image: 'Choose an image',
  features: 'Choose the features of a slide',
  folder: 'Open a folder of slides',
  'task-folder': 'Choose a folder of labelled patches',
  'annotated-folder': 'Choose a folder of images or annotations',
  'mirror-folder': 'Choose the folder that holds the checkpoints',
  'feature-folder': 'Choose a folder of feature files',
};

const PROPERTIES: Readonly<Record<OpenKind, ('openFile' | 'openDirectory' | 'multiSelections')[]>> = {
  slide: ['openFile', 'multiSelections'],
  any: ['openFile', 'multiSelections'],
  model: ['openFile'],
  table: ['openFile'],
  image: ['openFile'],
  features: ['openFile'],
  folder: ['openDirectory'],
  'task-folder': ['openDirectory'],
  'annotated-folder': ['openDirectory'],
  'mirror-folder': ['openDirectory'],
  'feature-folder': ['openDirectory'],
};

/** The native open dialog; the chosen paths, none when cancelled. */
export async function chooseFiles(
  dialog: ShellDialog,
  window: ShellWindow,
  kind: OpenKind,
): Promise<readonly string[]> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, {
    title: TITLES[kind],
    filters: FILTERS[kind],
    properties: PROPERTIES[kind],
  });
  return canceled ? [] : filePaths;
}

/** The native save dialog; the chosen path, or null when cancelled. */
export async function chooseSaveTarget(
  dialog: ShellDialog,
  window: ShellWindow,
  suggestedName: string,
): Promise<string | null> {
  const { canceled, filePath } = await dialog.showSaveDialog(window, {
    title: 'Save',
    defaultPath: safeFileName(suggestedName),
    properties: ['createDirectory', 'showOverwriteConfirmation'],
  });
  return canceled || filePath === '' ? null : filePath;
}

const CRASH_DUMP_BUTTONS = ['Delete All', 'Show Folder', 'Close'];

/** Says what crash dumps lie on this machine; the user may delete them or look at their folder. */
export async function askAboutCrashDumps(
  { dialog, shell }: Pick<ElectronParts, 'dialog' | 'shell'>,
  window: ShellWindow,
  folder: string,
): Promise<void> {
  const { count, sizeBytes } = await countCrashDumps(folder);
  const some = count > 0;
  const { response } = await dialog.showMessageBox(window, {
    type: 'info',
    title: 'Crash dumps',
    message: some ? `${count} crash dumps, ${(sizeBytes / 1e6).toFixed(1)} MB` : 'There are no crash dumps.',
    detail: 'They stay on this machine and are never sent anywhere. A dump may hold parts of a slide or its file name.',
    buttons: some ? CRASH_DUMP_BUTTONS : ['Close'],
    cancelId: some ? 2 : 0,
    defaultId: some ? 2 : 0,
    noLink: true,
  });
  if (!some) return;
  if (response === 0) await purgeCrashDumps(folder);
  if (response === 1) await shell.openPath(folder);
}
