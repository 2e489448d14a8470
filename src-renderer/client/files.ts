import { routes } from '../../src-shared/api/routes.ts';
import { AppError, fromErrorPayload, toErrorPayload } from '../../src-shared/errors.ts';
import { asId, type ExportId, type FileGrant } from '../../src-shared/model/ids.ts';
import { shell } from './shell.ts';

/** How many bytes of a file have gone over. */
export type UploadProgress = (sentBytes: number, totalBytes: number) => void;

/**
 * The right to read a dropped file. Electron knows where the file lies; a browser does not say, so its bytes are handed
 * to the engine, which keeps a copy.
 */
export async function grantForFile(file: File, onProgress: UploadProgress, signal: AbortSignal): Promise<FileGrant> {
  if (shell) return (await shell.grantForFile(file)).grant;
  return upload(file, onProgress, signal);
}

/** XMLHttpRequest, because fetch does not report how much of a body has been sent. */
function upload(file: File, onProgress: UploadProgress, signal: AbortSignal): Promise<FileGrant> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const lost = (): void =>
      reject(
        new AppError('FileUnreadable', `${file.name} could not be copied to the engine.`, {
          advice: 'Check that Hyaline is still running and that its disk has room, then drop the file again.',
        }),
      );
    request.upload.addEventListener('progress', ({ loaded, total }) => onProgress(loaded, total));
    request.addEventListener('error', lost);
    request.addEventListener('abort', () => reject(new AppError('Cancelled', 'The copy was cancelled.')));
    request.addEventListener('load', () => {
      const answer = parseAnswer(request.responseText);
      if (request.status < 300 && typeof answer.grant === 'string') resolve(asId<FileGrant>(answer.grant));
      else if (answer.error) reject(answer.error);
      else lost();
    });
    signal.addEventListener('abort', () => request.abort());
    request.open('PUT', routes.upload(file.name));
    request.send(file);
  });
}

function parseAnswer(text: string): { readonly grant?: unknown; readonly error?: AppError } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return {};
    if ('grant' in value) return { grant: value.grant };
    const error = 'error' in value ? value.error : value;
    return isPayloadLike(error) ? { error: fromErrorPayload({ ...toErrorPayload(null), ...error }) } : {};
  } catch {
    return {};
  }
}

function isPayloadLike(value: unknown): value is { readonly message: string } {
  return typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';
}

/** Saves a file the engine wrote: by the native dialog, or as a download of the browser. False when the user cancels. */
export async function saveExport(id: ExportId, fileName: string): Promise<boolean> {
  if (shell) return (await shell.saveExport(id, fileName)) !== null;
  const link = document.createElement('a');
  link.href = routes.download(id);
  link.download = fileName;
  document.body.append(link);
  link.click();
  link.remove();
  return true;
}

/** Bytes of a route as float32. Throws the AppError the engine answered with. */
export async function fetchFloats(path: string): Promise<Float32Array> {
  return new Float32Array(await fetchBuffer(path));
}

/** Bytes of a route. Throws the AppError the engine answered with. */
export async function fetchBytes(path: string): Promise<Uint8Array> {
  return new Uint8Array(await fetchBuffer(path));
}

async function fetchBuffer(path: string): Promise<ArrayBuffer> {
  const response = await fetch(path);
  if (!response.ok) {
    const { error } = parseAnswer(await response.text());
    throw (
      error ??
      new AppError('Internal', 'The engine did not deliver what was asked for.', { detail: `${response.status}` })
    );
  }
  return await response.arrayBuffer();
}

/** A picture of a route, decoded. Throws the AppError the engine answered with. */
export async function fetchImage(path: string): Promise<ImageBitmap> {
  const response = await fetch(path);
  if (!response.ok) {
    const { error } = parseAnswer(await response.text());
    throw (
      error ?? new AppError('Internal', 'The engine did not deliver the picture.', { detail: `${response.status}` })
    );
  }
  return createImageBitmap(await response.blob());
}
