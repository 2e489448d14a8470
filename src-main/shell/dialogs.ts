import { FILE_EXTENSIONS } from '../../src-shared/api/file-kinds.ts';
import type { OpenKind } from '../../src-shared/api/shell.ts';
import type { ShellDialog, ShellWindow } from './electron.ts';
import { safeFileName } from './save-export.ts';

const SLIDES = { name: 'Slides', extensions: [...FILE_EXTENSIONS.slide] };
const MODELS = { name: 'Models', extensions: [...FILE_EXTENSIONS.model] };
const EVERYTHING = {
  name: 'Everything Hyaline opens',
  extensions: [...FILE_EXTENSIONS.slide, ...FILE_EXTENSIONS.model, ...FILE_EXTENSIONS.project],
};

const FILTERS: Readonly<Record<OpenKind, Electron.FileFilter[]>> = {
  slide: [SLIDES],
  model: [MODELS],
  any: [EVERYTHING, SLIDES, MODELS],
};

/** The native open dialog; the chosen paths, none when cancelled. */
export async function chooseFiles(
  dialog: ShellDialog,
  window: ShellWindow,
  kind: OpenKind,
): Promise<readonly string[]> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, {
    title: kind === 'model' ? 'Open a model' : 'Open slides',
    filters: FILTERS[kind],
    properties: kind === 'model' ? ['openFile'] : ['openFile', 'multiSelections'],
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
