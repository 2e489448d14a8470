import { SvelteSet } from 'svelte/reactivity';
import type { AppError } from '../../src-shared/errors.ts';
import { fromErrorPayload } from '../../src-shared/errors.ts';
import type { FoundSlide, OpenedFolder } from '../../src-shared/model/folder.ts';
import type { FileGrant } from '../../src-shared/model/ids.ts';
import { engine } from './session.svelte.ts';
import { asAppError } from './toasts.svelte.ts';

/** The folder that is being looked through. */
class FolderState {
  opened = $state.raw<OpenedFolder | null>(null);
  slides = $state.raw<readonly FoundSlide[]>([]);
  complete = $state(false);
  error = $state.raw<AppError | null>(null);
  /** Slides marked to be taken together. */
  readonly chosen = new SvelteSet<FileGrant>();

  /** Rejects with the engine's AppError where the folder does not open; the one shown before then stays. */
  async open(grant: FileGrant): Promise<void> {
    const opened = await engine.openFolder(grant);
    this.close();
    this.opened = opened;
    void this.#follow(opened);
  }

  close(): void {
    const { opened } = this;
    if (opened) engine.closeFolder(opened.id).catch(() => undefined);
    this.opened = null;
    this.slides = [];
    this.complete = false;
    this.error = null;
    this.chosen.clear();
  }

  /** Takes the finds in part by part, until the folder is looked through or left. */
  async #follow(opened: OpenedFolder): Promise<void> {
    try {
      while (this.opened === opened && !this.complete) {
        const part = await engine.readFolder(opened.id, this.slides.length);
        if (this.opened !== opened) return;
        if (part.slides.length > 0) this.slides = [...this.slides, ...part.slides];
        this.complete = part.complete;
        this.error = part.error === null ? null : fromErrorPayload(part.error);
      }
    } catch (error) {
      if (this.opened !== opened) return;
      this.error = asAppError(error);
      this.complete = true;
    }
  }
}

export const folder = new FolderState();
