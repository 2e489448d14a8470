import type { AppError } from '../../src-shared/errors.ts';
import type { FolderListing } from '../../src-shared/model/folder.ts';
import { rememberFolder, startFolder } from './browse.ts';
import { engine } from './session.svelte.ts';
import { asAppError } from './toasts.svelte.ts';

/** A walk through the folders of the engine's machine, from where the last one ended. */
export class FolderBrowser {
  listing = $state.raw<FolderListing | null>(null);
  error = $state.raw<AppError | null>(null);
  loading = $state(true);
  /** The path as it stands in its field. */
  typed = $state('');
  /** The path was changed by hand: a listing that arrives later leaves it alone. */
  touched = $state(false);
  /** Counts what was asked for: an answer that comes after a later question is passed over. */
  #asked = 0;

  constructor() {
    void this.#openStart();
  }

  /** Shows a folder; null = the home folder. */
  async go(path: string | null): Promise<void> {
    this.touched = false;
    await this.#browse(path);
  }

  /** Shows the folder whose path was typed. */
  async goToTyped(): Promise<void> {
    const path = this.typed.trim();
    await this.go(path === '' ? null : path);
  }

  async #browse(path: string | null): Promise<void> {
    this.#asked += 1;
    const question = this.#asked;
    this.loading = true;
    this.error = null;
    try {
      const found = await engine.browseFolder(path);
      if (question !== this.#asked) return;
      this.listing = found;
      if (!this.touched) this.typed = found.path;
      rememberFolder(found.path);
    } catch (thrown) {
      if (question !== this.#asked) return;
      this.error = asAppError(thrown);
    }
    this.loading = false;
  }

  async #openStart(): Promise<void> {
    const start = startFolder();
    await this.#browse(start);
    if (this.error && start !== null) await this.#browse(null);
  }
}
