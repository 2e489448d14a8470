import { access, constants, realpath, stat } from 'node:fs/promises';
import { basename, isAbsolute } from 'node:path';
import { chosenKindOf } from '../../src-shared/api/file-kinds.ts';
import type { ChosenKind } from '../../src-shared/api/shell.ts';
import { AppError } from '../../src-shared/errors.ts';

/** A file or folder of the user's that passed every check; the path never leaves the main process but for the engine. */
export interface ChosenFile {
  readonly path: string;
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly kind: ChosenKind;
}

/**
 * Checks a path that stands for the user's choice: a dialog, a drop, the command line, the system.
 * @throws NotAllowed for what is no path of a file on this machine or no kind of file Hyaline opens; FileUnreadable when
 *   the file is gone or may not be read
 */
export async function checkChosenFile(path: string): Promise<ChosenFile> {
  if (path === '' || path.includes('\0') || !isAbsolute(path) || path.startsWith('\\\\.\\')) {
    throw new AppError('NotAllowed', 'What was dropped is not a file on this machine.', {
      advice: 'Save it to a folder first, then open it from there.',
    });
  }
  const fileName = basename(path);
  const real = await realpath(path).catch(() => {
    throw unreadable('is not there any more');
  });
  const info = await stat(real);
  if (!info.isFile() && !info.isDirectory()) {
    throw new AppError('NotAllowed', `“${fileName}” is neither a file nor a folder.`, {
      advice: 'Open the slide file itself, or the folder it lies in.',
    });
  }
  const kind = info.isDirectory() ? 'folder' : chosenKindOf(fileName);
  if (kind === null) {
    throw new AppError('NotAllowed', `Hyaline does not open files like “${fileName}”.`, {
      advice:
        'It opens slides (.svs, .tif, .ndpi, .mrxs, .dcm and others) and models (.onnx, .safetensors, .pth and others).',
    });
  }
  await access(real, constants.R_OK).catch(() => {
    throw unreadable('may not be read');
  });
  return { path: real, fileName, sizeBytes: info.isFile() ? info.size : 0, kind };

  function unreadable(why: string): AppError {
    return new AppError('FileUnreadable', `The file “${fileName}” ${why}.`, {
      advice: 'Check that the drive is connected and that you may read the file.',
    });
  }
}
