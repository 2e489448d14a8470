import { rename, rm, writeFile } from 'node:fs/promises';
import { AppError } from '../../../src-shared/errors.ts';

/** Writes a file so that it is there whole or not at all. @throws AppError DiskFull, FileUnreadable. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const part = `${path}.part`;
  try {
    await writeFile(part, bytes, { flush: true });
    await rename(part, path);
  } catch (cause) {
    await rm(part, { force: true });
    const code = cause instanceof Error && 'code' in cause ? cause.code : '';
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new AppError('DiskFull', 'The disk is full: the backbone could not be stored.', {
        advice: 'Free some space or choose another folder for the store.',
        detail: String(cause),
        cause,
      });
    }
    throw new AppError('FileUnreadable', 'The backbone could not be written to the store.', {
      advice: "Check that the store's folder can be written to.",
      detail: String(cause),
      cause,
    });
  }
}
