import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { extname, join } from 'node:path';
import { AppError } from '../../../src-shared/errors.ts';

/** Left free on the disk, so that the store can still be written. */
const RESERVE_BYTES = 256 * 1024 * 1024;
const PARTIAL_PREFIX = '.partial-';
const MAX_NAME_CHARACTERS = 150;
const WINDOWS_RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/**
 * A file name that is safe on every platform and keeps what the user will recognise: the last part of what was sent,
 * without control characters, reserved characters or leading dots.
 */
export function safeFileName(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? '';
  const clean = last
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
    .replace(/[\u0000-\u001f\u007f<>:"|?*]/g, '')
    .replace(/^[.\s]+|[.\s]+$/g, '');
  const suffix = extname(clean).slice(0, 20);
  const stem = clean.slice(0, clean.length - extname(clean).length).slice(0, MAX_NAME_CHARACTERS - suffix.length);
  const joined = `${stem}${suffix}`;
  return joined === '' ? 'dropped-file' : WINDOWS_RESERVED.test(joined) ? `_${joined}` : joined;
}

/**
 * Streams a dropped file into the folder and returns its path. A name that is taken gets a number; a transfer that
 * breaks off or does not fit leaves nothing behind.
 * @throws AppError DiskFull, InvalidRequest (broken off).
 */
export async function receiveUpload(request: IncomingMessage, name: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const announced = Number(request.headers['content-length'] ?? 0);
  const limitBytes = await freeBytes(folder);
  if (announced > limitBytes) {
    throw diskFull();
  }
  const partial = join(folder, `${PARTIAL_PREFIX}${randomUUID()}`);
  try {
    await writeAtMost(request, partial, limitBytes);
    return await place(partial, folder, safeFileName(name));
  } catch (error) {
    throw asUploadError(error);
  } finally {
    await rm(partial, { force: true });
  }
}

/** Removes what transfers of an earlier, killed process left behind. */
export async function removePartialUploads(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  await Promise.all(
    names.filter((name) => name.startsWith(PARTIAL_PREFIX)).map((name) => rm(join(folder, name), { force: true })),
  );
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return Math.max(0, bavail * bsize - RESERVE_BYTES);
}

/** Writes the body to a new file. The limit holds for what arrives: a client need not announce its length truthfully. */
async function writeAtMost(request: IncomingMessage, path: string, limitBytes: number): Promise<void> {
  const file = await open(path, 'wx');
  try {
    let seenBytes = 0;
    // The request stays open on an early end, so that the answer can still be sent on its connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      seenBytes += chunk.length;
      if (seenBytes > limitBytes) {
        throw diskFull();
      }
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
}

/** Gives the finished file its name, without ever replacing another. */
async function place(partial: string, folder: string, name: string): Promise<string> {
  const suffix = extname(name);
  const stem = name.slice(0, name.length - suffix.length);
  for (let count = 1; ; count += 1) {
    const path = join(folder, count === 1 ? name : `${stem} (${count})${suffix}`);
    try {
      // Claims the name, then renames over its own empty file: a bare rename would replace another's.
      await (await open(path, 'wx')).close();
      await rename(partial, path);
      return path;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || count >= 1000) {
        throw error;
      }
    }
  }
}

function asUploadError(error: unknown): AppError {
  if (error instanceof AppError) {
    return error;
  }
  if (codeOf(error) === 'ENOSPC') {
    return diskFull();
  }
  return new AppError('InvalidRequest', 'The file did not arrive whole.', {
    advice: 'Drop it again, or open it from its folder.',
    detail: error instanceof Error ? error.message : String(error),
  });
}

function diskFull(): AppError {
  return new AppError('DiskFull', 'There is not enough free space for this file.', {
    advice: 'Free some space, or open the file from the folder it is in instead of dropping it.',
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
