import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import type { EncodedImage, RegionRequest, RgbImage, SlideSource } from '../slide/slide-source.ts';

/**
 * A slide whose file is closed when others need its place and opened again by the next read: whoever holds it never
 * finds it closed, and no file is closed under a read.
 */
export class RestingSource implements SlideSource {
  readonly path: string;
  readonly info: SlideInfo;
  readonly #reopen: () => Promise<SlideSource>;
  #file: Promise<SlideSource> | null;
  #reads = 0;
  #rests = false;
  #onIdle: (() => void)[] = [];

  /** @param reopen throws what shows that the file is no longer that slide. */
  constructor(first: SlideSource, reopen: () => Promise<SlideSource>) {
    this.path = first.path;
    this.info = first.info;
    this.#file = Promise.resolve(first);
    this.#reopen = reopen;
  }

  encodedTile(level: number, column: number, row: number): Promise<EncodedImage | null> {
    return this.#read((file) => file.encodedTile(level, column, row));
  }

  readTile(level: number, column: number, row: number): Promise<RgbImage> {
    return this.#read((file) => file.readTile(level, column, row));
  }

  readLevelRegion(level: number, xPx: number, yPx: number, widthPx: number, heightPx: number): Promise<RgbImage> {
    return this.#read((file) => file.readLevelRegion(level, xPx, yPx, widthPx, heightPx));
  }

  readRegion(request: RegionRequest, signal?: AbortSignal): Promise<RgbImage> {
    return this.#read((file) => file.readRegion(request, signal));
  }

  associated(name: string): Promise<EncodedImage> {
    return this.#read((file) => file.associated(name));
  }

  iccProfile(): Promise<Uint8Array | null> {
    return this.#read((file) => file.iccProfile());
  }

  /** Closes the file once nobody reads from it; from now on it is open only while somebody does. */
  async close(): Promise<void> {
    this.#rests = true;
    if (this.#reads > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    else await this.#closeFile();
  }

  async #read<T>(from: (file: SlideSource) => Promise<T>): Promise<T> {
    this.#reads++;
    try {
      this.#file ??= this.#reopen();
      const file = await this.#file.catch((error: unknown) => {
        this.#file = null;
        throw error;
      });
      return await from(file);
    } finally {
      this.#reads--;
      if (this.#rests && this.#reads === 0) await this.#closeFile();
    }
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    const waiting = this.#onIdle.splice(0);
    await (await file?.catch(() => null))?.close();
    for (const resolve of waiting) resolve();
  }
}
