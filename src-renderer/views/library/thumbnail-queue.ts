/** Fetches at a time: the browser itself allows six to one host, and tiles of the viewer need some of them. */
const MAX_AT_WORK = 3;
/** A card must stay in sight this long before its picture is asked for: those scrolled past are not. */
const PATIENCE_MS = 120;

interface Wanted {
  readonly path: string;
  readonly signal: AbortSignal;
  readonly resolve: (url: string) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Pictures of cards, a few at a time, those asked for last first: they are what is in sight. One that is given up
 * (its signal) is not fetched, or its fetch is stopped.
 */
export class ThumbnailQueue {
  readonly #fetch: typeof fetch;
  readonly #waiting: Wanted[] = [];
  #atWork = 0;

  constructor(fetcher: typeof fetch = (...request) => fetch(...request)) {
    this.#fetch = fetcher;
  }

  /** An object URL of the picture; revoke it when the card goes. Rejects where there is none, and when given up. */
  async load(path: string, signal: AbortSignal): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
    signal.throwIfAborted();
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ path, signal, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    while (this.#atWork < MAX_AT_WORK) {
      const wanted = this.#waiting.pop();
      if (wanted === undefined) return;
      if (wanted.signal.aborted) {
        wanted.reject(wanted.signal.reason);
        continue;
      }
      this.#atWork += 1;
      void this.#work(wanted);
    }
  }

  async #work({ path, signal, resolve, reject }: Wanted): Promise<void> {
    try {
      const response = await this.#fetch(path, { signal });
      if (!response.ok) throw new Error(`no picture: ${response.status}`);
      resolve(URL.createObjectURL(await response.blob()));
    } catch (error) {
      reject(error);
    } finally {
      this.#atWork -= 1;
      this.#next();
    }
  }
}

export const thumbnails = new ThumbnailQueue();
