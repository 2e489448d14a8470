import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { AppError } from '../../../src-shared/errors.ts';

export interface DownloadRequest {
  readonly url: string;
  /** Where the file is wanted; an unfinished one lies beside it as `.part` and is continued. */
  readonly path: string;
  /** The file's SHA-256, or its beginning; null where the source states none. */
  readonly sha256Start: string | null;
  /** Page on which access to a gated file is asked for. */
  readonly page: string;
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
  readonly onProgress?: (bytes: number, total: number | null) => void;
}

/**
 * Downloads a file, continuing where an earlier attempt stopped, and checks its hash.
 *
 * @returns the SHA-256 of the file.
 * @throws AppError NetworkUnavailable (what has arrived stays and is continued), NotAllowed where access must be asked
 * for, NotFound, BackboneUnreadable where the hash differs (the file is then removed), DiskFull, Cancelled.
 */
export async function download(request: DownloadRequest): Promise<string> {
  const part = `${request.path}.part`;
  await mkdir(dirname(request.path), { recursive: true });
  await receive(request, part);
  await rm(tagPath(part), { force: true });
  const sha256 = await hashFile(part);
  if (request.sha256Start !== null && !sha256.startsWith(request.sha256Start.toLowerCase())) {
    await rm(part, { force: true });
    throw new AppError('BackboneUnreadable', 'The downloaded file is not the one its source describes.', {
      advice: 'Try again; if it happens again, the source or the connection changes the file.',
      detail: `SHA-256 ${sha256}, stated ${request.sha256Start}`,
    });
  }
  await rename(part, request.path);
  return sha256;
}

/** SHA-256 of a file, 64 hex digits. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Where the entity tag of an unfinished file is kept: only the very same file may be continued. */
function tagPath(part: string): string {
  return `${part}.etag`;
}

async function receive(request: DownloadRequest, part: string): Promise<void> {
  const tag = await readFile(tagPath(part), 'utf8').catch(() => null);
  const found = await stat(part).catch(() => null);
  // Without a digest or a tag nothing would tell that the rest belongs to another file.
  const have = found !== null && (tag !== null || request.sha256Start !== null) ? found.size : 0;
  const response = await ask(request, have, tag);
  if (response.status === 416) return; // All of it is here already: the hash decides.
  const continued = response.status === 206;
  const length = response.headers.get('content-length');
  const start = continued ? have : 0;
  const total = length === null ? null : start + Number(length);
  if (!response.body) throw unreachable('the answer is empty');
  const newTag = response.headers.get('etag');
  // A weak tag promises no equal bytes (RFC 9110, section 8.8.1).
  if (newTag !== null && !newTag.startsWith('W/')) await writeFile(tagPath(part), newTag);
  else if (!continued) await rm(tagPath(part), { force: true });
  await refuseWithoutRoom(response, dirname(part), total === null ? 0 : total - start);
  let bytes = start;
  const body = Readable.fromWeb(response.body as WebStream<Uint8Array>);
  body.on('data', (chunk: Uint8Array) => {
    bytes += chunk.byteLength;
    request.onProgress?.(bytes, total);
  });
  try {
    const options = request.signal ? { signal: request.signal } : {};
    await pipeline(body, createWriteStream(part, { flags: continued ? 'a' : 'w' }), options);
  } catch (cause) {
    throw failure(cause, request.signal);
  }
  if (total !== null && bytes < total) throw unreachable(`${bytes} of ${total} bytes arrived`);
}

/** A download that cannot fit is not begun: a full disk would hurt everything else. */
async function refuseWithoutRoom(response: Response, folder: string, bytes: number): Promise<void> {
  const disk = await statfs(folder).catch(() => null);
  if (disk === null || disk.bavail * disk.bsize >= bytes) return;
  await response.body?.cancel();
  throw diskFull();
}

async function ask(request: DownloadRequest, have: number, tag: string | null): Promise<Response> {
  const { fetch: get = fetch, page, signal, url } = request;
  const ifSame: Record<string, string> = tag === null ? {} : { 'If-Range': tag };
  const headers: Record<string, string> = have > 0 ? { Range: `bytes=${have}-`, ...ifSame } : {};
  let response: Response;
  try {
    response = await get(url, { headers, ...(signal ? { signal } : {}) });
  } catch (cause) {
    throw failure(cause, signal);
  }
  if (response.ok || response.status === 416) return response;
  await response.body?.cancel();
  throw refusal(response.status, page);
}

/** What a server's refusal means to the user. */
export function refusal(status: number, page: string): AppError {
  if (status === 401 || status === 403) {
    return new AppError('NotAllowed', 'This checkpoint is only given out on request.', {
      advice: `Ask for access at ${page}, download it there, and import the file.`,
    });
  }
  if (status === 404 || status === 410) {
    return new AppError('NotFound', 'This checkpoint is no longer where it was.', { advice: `Look at ${page}.` });
  }
  return unreachable(`status ${status}`);
}

function failure(cause: unknown, signal: AbortSignal | undefined): AppError {
  if (signal?.aborted) return new AppError('Cancelled', 'The download was cancelled.');
  const code = cause instanceof Error && 'code' in cause ? cause.code : '';
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull();
  return unreachable(cause instanceof Error ? `${cause.message} ${String(cause.cause ?? '')}` : String(cause));
}

function diskFull(): AppError {
  return new AppError('DiskFull', 'The disk has no room for this download.', {
    advice: 'Free some space and try again; what has arrived is kept.',
  });
}

function unreachable(detail: string): AppError {
  return new AppError('NetworkUnavailable', 'The checkpoint could not be downloaded.', {
    advice:
      'Check the connection and try again: what has arrived is kept. Without a network, import the file from a folder.',
    detail,
  });
}
