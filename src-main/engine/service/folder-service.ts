import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError, type ErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import type { FolderPart, FoundSlide, OpenedFolder } from '../../../src-shared/model/folder.ts';
import { asId, type FileGrant, type FolderId } from '../../../src-shared/model/ids.ts';
import { type FolderSlide, listSlideFolder } from '../slide/list-folder.ts';
import { openSlideSource } from '../slide/open-slide.ts';
import type { EncodedImage } from '../slide/slide-source.ts';
import { BytesLru } from '../tile/bytes-lru.ts';
import { encodeJpeg, readOverview } from '../tile/slide-images.ts';
import type { Grants } from './grants.ts';

/** Folders kept at a time: a window each, and some that were left without a word. */
const MAX_FOLDERS = 8;
/** Slides handed over at a time: few enough for a page to draw them without a stall. */
const MAX_PART = 60;
/** How long a reader waits for the next find, and, once there is one, for a few more to come with it. */
const WAIT_MS = 2000;
const GATHER_MS = 60;
/** Thumbnails made at a time: they share the machine with the slide on the screen. */
const MAX_AT_WORK = 2;
export const THUMBNAIL_BUDGET_BYTES = 48 * 1024 * 1024;

/** A folder that is being looked through. */
interface Search {
  readonly found: FoundSlide[];
  readonly stop: AbortController;
  complete: boolean;
  error: ErrorPayload | null;
  /** Called at the next find, and at the end. */
  readonly waiting: Set<() => void>;
}

/** Folders of slides to look through: their slides are listed and pictured without being stored. */
export class FolderService {
  readonly #grants: Grants;
  readonly #searches = new Map<FolderId, Search>();
  readonly #thumbnails = new BytesLru<EncodedImage>(THUMBNAIL_BUDGET_BYTES);
  readonly #turns: (() => void)[] = [];
  #atWork = 0;

  constructor(grants: Grants) {
    this.#grants = grants;
  }

  /** Begins to look through a folder. @throws AppError FileUnreadable, InvalidRequest: it is a file */
  async open(path: string): Promise<OpenedFolder> {
    const found = await stat(path).catch((cause: unknown) => {
      throw new AppError('FileUnreadable', 'This folder cannot be read.', {
        advice: 'Check that it is still there and that you may read it.',
        cause,
      });
    });
    if (!found.isDirectory()) throw new AppError('InvalidRequest', 'This is a file, not a folder.');
    const id = asId<FolderId>(randomUUID());
    const stop = new AbortController();
    const search: Search = { found: [], stop, complete: false, error: null, waiting: new Set() };
    this.#searches.set(id, search);
    for (const oldest of [...this.#searches.keys()].slice(0, -MAX_FOLDERS)) this.closeFolder(oldest);
    void this.#look(path, search);
    return { id, name: basename(path) || path };
  }

  /** @throws AppError NotFound for a folder that is not open any more */
  async read(id: FolderId, from: number): Promise<FolderPart> {
    const search = this.#searches.get(id);
    if (search === undefined) {
      throw new AppError('NotFound', 'This folder is not open any more.', { advice: 'Open it again.' });
    }
    const place = Number.isInteger(from) && from >= 0 ? from : 0;
    if (search.found.length <= place && !search.complete) {
      await nextFind(search, WAIT_MS);
      if (!search.complete) await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    }
    const slides = search.found.slice(place, place + MAX_PART);
    const next = place + slides.length;
    const complete = search.complete && next >= search.found.length;
    return { slides, next, complete, error: complete ? search.error : null };
  }

  closeFolder(id: FolderId): void {
    this.#searches.get(id)?.stop.abort();
    this.#searches.delete(id);
  }

  /** A JPEG overview of a slide that is in no library, its longer side at most `maxPx`. Throws as the slide's reader. */
  async thumbnail(grant: FileGrant, maxPx: number): Promise<EncodedImage> {
    const path = this.#grants.redeem(grant);
    const key = `${grant}/${maxPx}`;
    const kept = this.#thumbnails.get(key);
    if (kept !== undefined) return kept;
    await this.#turn();
    try {
      const made = await thumbnailOf(path, maxPx);
      this.#thumbnails.set(key, made);
      return made;
    } finally {
      this.#atWork--;
      // Those asked for last come first: they are what is on the screen now.
      this.#turns.pop()?.();
    }
  }

  close(): void {
    for (const id of [...this.#searches.keys()]) this.closeFolder(id);
  }

  async #look(path: string, search: Search): Promise<void> {
    try {
      for await (const slide of listSlideFolder(path, search.stop.signal)) {
        search.found.push(this.#describe(slide));
        wake(search);
      }
    } catch (error) {
      search.error = toErrorPayload(error);
    }
    search.complete = true;
    wake(search);
  }

  #describe({ path, name, subfolder, files, sizeBytes, info, error }: FolderSlide): FoundSlide {
    const mpp = info?.mpp ?? null;
    const facts =
      info === null
        ? null
        : {
            ...{ widthPx: info.widthPx, heightPx: info.heightPx, objective: info.objective, vendor: info.vendor },
            mppUm: mpp === null ? null : (mpp.xUm + mpp.yUm) / 2,
          };
    return { grant: this.#grants.give(path), name, subfolder, files, sizeBytes, facts, error };
  }

  async #turn(): Promise<void> {
    while (this.#atWork >= MAX_AT_WORK) await new Promise<void>((resolve) => this.#turns.push(resolve));
    this.#atWork++;
  }
}

async function thumbnailOf(path: string, maxPx: number): Promise<EncodedImage> {
  const source = await openSlideSource(path);
  try {
    return await encodeJpeg(await readOverview(source, maxPx));
  } finally {
    await source.close();
  }
}

function wake({ waiting }: Search): void {
  for (const resolve of waiting) resolve();
  waiting.clear();
}

function nextFind({ waiting }: Search, atMostMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      waiting.delete(done);
      resolve();
    };
    const timer = setTimeout(done, atMostMs);
    waiting.add(done);
  });
}
