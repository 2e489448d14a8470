import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportedFile } from '../../../src-shared/api/engine.ts';
import { AppError, hasCode } from '../../../src-shared/errors.ts';
import type { ComparisonRecord } from '../../../src-shared/model/comparison-record.ts';
import type { ComparisonId } from '../../../src-shared/model/ids.ts';
import { writeComparison } from '../compare/write-comparison.ts';
import type { Exports } from './exports.ts';
import { zipOf } from './zip-file.ts';

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv; charset=utf-8',
  json: 'application/json; charset=utf-8',
  md: 'text/markdown; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
};

interface WrittenFiles {
  readonly folder: string;
  readonly names: readonly string[];
}

/** The files of comparisons: written once in a session, kept until it ends. */
export class ComparisonFiles {
  readonly #folder: string;
  readonly #exportsKept: Exports;
  readonly #read: (id: ComparisonId) => Promise<ComparisonRecord>;
  readonly #written = new Map<ComparisonId, Promise<WrittenFiles>>();

  constructor(storeFolder: string, exportsKept: Exports, read: (id: ComparisonId) => Promise<ComparisonRecord>) {
    this.#folder = join(storeFolder, 'exports', 'comparisons');
    this.#exportsKept = exportsKept;
    this.#read = read;
  }

  /** The files a comparison can be exported as. Throws NotFound. */
  async names(id: ComparisonId): Promise<readonly string[]> {
    return (await this.#write(id)).names;
  }

  /** One of its files, or all in one archive. Throws NotFound, DiskFull. */
  async export(id: ComparisonId, fileName: string | null): Promise<ExportedFile> {
    const entry = await this.#read(id);
    const { folder, names } = await this.#write(id);
    const stem = entry.name.replaceAll(/[^\w.-]+/g, '-').slice(0, 80) || 'comparison';
    if (fileName === null) {
      const files = await Promise.all(names.map(async (name) => ({ name, bytes: await readFile(join(folder, name)) })));
      return await this.#exportsKept.add(`${stem}.zip`, 'application/zip', zipOf(files));
    }
    if (!names.includes(fileName)) throw new AppError('NotFound', 'This comparison has no such file.');
    const mediaType = MEDIA_TYPES[fileName.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
    const bytes = await readFile(join(folder, fileName));
    return await this.#exportsKept.add(`${stem}-${fileName}`, mediaType, bytes);
  }

  /** Lets go of the files of a comparison: it was removed, or computed anew. */
  async forget(id: ComparisonId): Promise<void> {
    this.#written.delete(id);
    await rm(join(this.#folder, id), { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  #write(id: ComparisonId): Promise<WrittenFiles> {
    const known = this.#written.get(id);
    if (known !== undefined) return known;
    const writing = this.#writeNow(id);
    this.#written.set(id, writing);
    writing.catch(() => this.#written.delete(id));
    return writing;
  }

  async #writeNow(id: ComparisonId): Promise<WrittenFiles> {
    const { result } = await this.#read(id);
    if (result === null) {
      throw new AppError('InvalidRequest', 'This comparison is not finished yet.', { advice: 'Let it finish first.' });
    }
    const folder = join(this.#folder, id);
    try {
      return { folder, names: await writeComparison(result, folder) };
    } catch (cause) {
      if (hasCode(cause, 'DiskFull')) throw cause;
      throw new AppError('DiskFull', 'The files of this comparison could not be written.', {
        advice: 'Free some space on the disk that holds the store, then export again.',
        detail: String(cause),
        cause,
      });
    }
  }
}
