import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { z } from 'zod';
import { fileKindOf } from '../../src-shared/api/file-kinds.ts';
import type { RecentFile } from '../../src-shared/api/shell.ts';
import { AppError } from '../../src-shared/errors.ts';
import type { ShellApp } from './electron.ts';
import { readJsonFile, writeJsonFile } from './json-file.ts';
import { Listeners } from './listeners.ts';

const MAX_RECENT = 12;

const storedSchema = z.array(z.object({ path: z.string().min(1), openedAtMs: z.number() })).readonly();
type Stored = z.infer<typeof storedSchema>;

const idOf = (path: string): string => createHash('sha256').update(path).digest('hex').slice(0, 24);

/** The files opened last. Paths stay here; windows see names and ids. Kept in the user's folder and the system's list. */
export class RecentFiles {
  readonly #file: string;
  readonly #app: Pick<ShellApp, 'addRecentDocument' | 'clearRecentDocuments'>;
  readonly #changed = new Listeners<readonly RecentFile[]>();
  #entries: Stored;

  constructor(file: string, app: Pick<ShellApp, 'addRecentDocument' | 'clearRecentDocuments'>) {
    this.#file = file;
    this.#app = app;
    this.#entries = readJsonFile(file, storedSchema, []);
  }

  onChange(listener: (files: readonly RecentFile[]) => void): () => void {
    return this.#changed.add(listener);
  }

  list(): readonly RecentFile[] {
    return this.#entries.flatMap(({ path, openedAtMs }) => {
      const kind = fileKindOf(path);
      return kind === null ? [] : [{ id: idOf(path), fileName: basename(path), kind, openedAtMs }];
    });
  }

  add(path: string): void {
    const others = this.#entries.filter((entry) => entry.path !== path);
    this.#app.addRecentDocument(path);
    this.#keep([{ path, openedAtMs: Date.now() }, ...others].slice(0, MAX_RECENT));
  }

  /** @throws NotFound for an id that is not on the list */
  pathOf(id: string): string {
    const entry = this.#entries.find(({ path }) => idOf(path) === id);
    if (entry === undefined) throw new AppError('NotFound', 'This file is no longer on the list of recent files.');
    return entry.path;
  }

  forget(id: string): void {
    this.#keep(this.#entries.filter(({ path }) => idOf(path) !== id));
  }

  clear(): void {
    this.#app.clearRecentDocuments();
    this.#keep([]);
  }

  #keep(entries: Stored): void {
    this.#entries = entries;
    writeJsonFile(this.#file, entries);
    this.#changed.emit(this.list());
  }
}
