import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportedFile } from '../../../src-shared/api/engine.ts';
import { AppError } from '../../../src-shared/errors.ts';
import { asId, type ExportId } from '../../../src-shared/model/ids.ts';

/** Files made for the user to download; they live in the store's `exports/` until the engine closes. */
export class Exports {
  readonly #folder: string;
  readonly #files = new Map<ExportId, ExportedFile>();

  constructor(storeFolder: string) {
    this.#folder = join(storeFolder, 'exports');
  }

  /** Throws DiskFull. */
  add(fileName: string, mediaType: string, bytes: Uint8Array): Promise<ExportedFile> {
    return this.make(fileName, mediaType, (path) => writeFile(path, bytes));
  }

  /** An export that is written by `write` to the path it is given. Throws DiskFull, and what `write` throws. */
  async make(fileName: string, mediaType: string, write: (path: string) => Promise<void>): Promise<ExportedFile> {
    const id = asId<ExportId>(randomUUID());
    const path = join(this.#folder, id);
    try {
      await mkdir(this.#folder, { recursive: true });
      await write(path);
      const { size: sizeBytes } = await stat(path);
      const file: ExportedFile = { id, fileName, mediaType, sizeBytes };
      this.#files.set(id, file);
      return file;
    } catch (cause) {
      await rm(path, { force: true }).catch(() => undefined);
      if (cause instanceof AppError) throw cause;
      throw new AppError('DiskFull', 'The export could not be written.', {
        advice: 'Free some space on the disk that holds the store, then export again.',
        detail: String(cause),
        cause,
      });
    }
  }

  /** Throws NotFound for an export of an earlier session. */
  async read(id: ExportId): Promise<{ readonly file: ExportedFile; readonly bytes: Uint8Array }> {
    const file = this.#files.get(id);
    if (file === undefined) {
      throw new AppError('NotFound', 'This export is gone.', { advice: 'Export it again.' });
    }
    return { file, bytes: await readFile(join(this.#folder, id)) };
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
