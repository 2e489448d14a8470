import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { AppError } from '../../src-shared/errors.ts';

/**
 * The full path of a file a command will write.
 *
 * @param suffixes endings the name may have, lower case with their dot.
 * @throws AppError InvalidRequest for another ending, or for a file that is there and must not be replaced.
 */
export function outputPath(out: string, suffixes: readonly string[], force: boolean): string {
  const path = resolve(out);
  if (!suffixes.includes(extname(path).toLowerCase())) {
    throw new AppError('InvalidRequest', `${basename(out)} does not end in ${suffixes.join(' or ')}.`, {
      advice: `Name the file with the ending ${suffixes[0]}.`,
    });
  }
  if (existsSync(path) && !force) {
    throw new AppError('InvalidRequest', `${basename(out)} exists; nothing was written.`, {
      advice: 'Choose another name, or add --force.',
    });
  }
  return path;
}

/**
 * Has a file made under a passing name beside its own, then gives it its own: a file of that name is whole or absent,
 * and one that is replaced stays until then.
 */
export async function writeWhole<T>(path: string, make: (passing: string) => Promise<T>): Promise<T> {
  const passing = `${path}.${process.pid}.partial`;
  try {
    const made = await make(passing);
    await rename(passing, path);
    return made;
  } catch (cause) {
    throw plainFailure(cause, path);
  } finally {
    await rm(passing, { force: true });
  }
}

/** `writeWhole` of bytes or text that are there. */
export async function writeOutput(path: string, content: Uint8Array | string): Promise<void> {
  await writeWhole(path, (passing) => writeFile(passing, content));
}

function plainFailure(cause: unknown, path: string): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : null;
  if (cause instanceof AppError || typeof code !== 'string') return cause;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new AppError('DiskFull', `The disk is full: ${basename(path)} was not written.`, {
      advice: 'Free some space, then run the command again.',
      cause,
    });
  }
  return new AppError('InvalidRequest', `${basename(path)} cannot be written (${code}).`, {
    advice: 'Check that its folder exists and may be written to.',
    cause,
  });
}
