import { rmSync } from 'node:fs';
import { AppError } from '../../../src-shared/errors.ts';

/** 51 is ENOSPC as the HDF5 library's runtime numbers it. */
const FULL = /ENOSPC|EDQUOT|No space left|errno = 51|Disk quota/;

/** What kept a file from being written, as an AppError: DiskFull or FileUnreadable. */
export function unwritable(path: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  const options = { detail: `${path}: ${String(error).split('\n', 3).join(' ')}`, cause: error };
  return FULL.test(String(error))
    ? new AppError('DiskFull', 'The disk is full.', { ...options, advice: 'Free some space or choose another folder.' })
    : new AppError('FileUnreadable', 'The file cannot be written.', {
        ...options,
        advice: 'Choose another folder, or check its rights.',
      });
}

/** Removes a file that was not finished; where even that fails, the first error is the one to tell. */
export function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The folder is gone or is none: nothing was left behind.
  }
}
