import type { FileGrant } from '../../src-shared/model/ids.ts';
import { grantForFile } from '../client/files.ts';

export interface Upload {
  readonly id: number;
  readonly fileName: string;
  readonly sentBytes: number;
  readonly totalBytes: number;
  readonly cancel: () => void;
}

/** Dropped files on their way to the engine. */
class Uploads {
  list = $state.raw<readonly Upload[]>([]);
  #next = 1;

  async grant(file: File): Promise<FileGrant> {
    const id = this.#next++;
    const abort = new AbortController();
    const entry = { id, fileName: file.name, sentBytes: 0, totalBytes: file.size, cancel: () => abort.abort() };
    this.list = [...this.list, entry];
    try {
      return await grantForFile(
        file,
        (sentBytes, totalBytes) => this.#progress(id, sentBytes, totalBytes),
        abort.signal,
      );
    } finally {
      this.list = this.list.filter((upload) => upload.id !== id);
    }
  }

  #progress(id: number, sentBytes: number, totalBytes: number): void {
    this.list = this.list.map((upload) => (upload.id === id ? { ...upload, sentBytes, totalBytes } : upload));
  }
}

export const uploads = new Uploads();
