import { resolve } from 'node:path';
import { fileKindOf } from '../../src-shared/api/file-kinds.ts';
import type { GrantedFile } from '../../src-shared/api/shell.ts';
import { toErrorPayload } from '../../src-shared/errors.ts';
import type { ShellWindow } from './electron.ts';
import type { Windows } from './windows.ts';

/**
 * The files among the arguments of a start: those with a name Hyaline knows, made absolute. Everything else is passed
 * over: Chromium adds options of its own anywhere, and a run from source names its folder.
 * @param argv with the program itself in front
 */
export function filesInArguments(argv: readonly string[], workingFolder: string): readonly string[] {
  return argv
    .slice(1)
    .filter((argument) => !argument.startsWith('-') && fileKindOf(argument) !== null)
    .map((argument) => resolve(workingFolder, argument));
}

/**
 * Brings files from outside (system, second instance, command line) to a window. What comes before a page listens waits
 * for it; a file that cannot be opened arrives as a sentence.
 */
export class OpenFiles {
  readonly #windows: Windows;
  readonly #grant: (path: string) => Promise<GrantedFile>;
  readonly #listening = new Set<number>();
  #waiting: string[] = [];

  constructor(windows: Windows, grant: (path: string) => Promise<GrantedFile>) {
    this.#windows = windows;
    this.#grant = grant;
  }

  /** Delivers to the window in use, or keeps the files until one listens. */
  async open(paths: readonly string[]): Promise<void> {
    if (paths.length === 0) return;
    const window = this.#windows.current();
    if (window === null || !this.#listening.has(window.webContents.id)) {
      this.#waiting.push(...paths);
      return;
    }
    await this.#deliver(window, paths);
  }

  /** The page of a window listens now. */
  async windowListens(window: ShellWindow): Promise<void> {
    const id = window.webContents.id;
    if (!this.#listening.has(id)) {
      this.#listening.add(id);
      window.once('closed', () => this.#listening.delete(id));
      // A page that is loaded again has to ask again.
      window.webContents.on('did-navigate', () => this.#listening.delete(id));
    }
    const paths = this.#waiting;
    this.#waiting = [];
    await this.#deliver(window, paths);
  }

  async #deliver(window: ShellWindow, paths: readonly string[]): Promise<void> {
    const files: GrantedFile[] = [];
    for (const path of paths) {
      try {
        files.push(await this.#grant(path));
      } catch (error) {
        this.#windows.send(window, 'openFailed', toErrorPayload(error));
      }
    }
    if (files.length > 0) this.#windows.send(window, 'openFiles', files);
  }
}
