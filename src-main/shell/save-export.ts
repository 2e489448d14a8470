import { rename, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError } from '../../src-shared/errors.ts';

/** A name for the save dialog from one proposed by the page: its last part, without what file systems refuse. */
export function safeFileName(suggested: string): string {
  const last = suggested.split(/[\\/]/).at(-1) ?? '';
  const clean = [...last]
    .filter((character) => character >= ' ' && !'<>:"|?*'.includes(character))
    .join('')
    .replace(/^\.+/, '')
    .slice(0, 120)
    .trim();
  return clean === '' ? 'hyaline-export' : clean;
}

/**
 * Writes a file so that its name never stands for half of it: a draft beside it, renamed when whole.
 * @throws DiskFull, FileUnreadable
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.part`;
  try {
    await writeFile(draft, bytes);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw writeError(path, error);
  }
}

function writeError(path: string, error: unknown): AppError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const fileName = basename(path);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new AppError('DiskFull', `There is not enough space to write “${fileName}”.`, {
      advice: 'Free some space or choose another drive; the result itself is kept.',
      detail: code,
    });
  }
  return new AppError('FileUnreadable', `“${fileName}” could not be written there.`, {
    advice: 'Choose a folder you may write to, or close the file where it is open.',
    detail: code,
  });
}
