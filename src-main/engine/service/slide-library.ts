import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError, hasCode, toErrorPayload } from '../../../src-shared/errors.ts';
import { FEATURES_ONLY } from '../../../src-shared/model/feature-bag.ts';
import type { AddedSlides, RefusedFile, SlideFile } from '../../../src-shared/model/folder.ts';
import type { FileGrant, SlideId } from '../../../src-shared/model/ids.ts';
import type { PixelSize, Slide } from '../../../src-shared/model/slide.ts';
import { iccLut } from '../colour/icc-lut.ts';
import { fingerprintSlide } from '../slide/fingerprint.ts';
import { openSlideSource } from '../slide/open-slide.ts';
import type { SlideSource } from '../slide/slide-source.ts';
import type { SlideRecord, Store } from '../store/store.ts';
import { RestingSource } from './resting-source.ts';

/** Open files kept at a time; a reopened slide costs milliseconds. */
const MAX_OPEN_SOURCES = 8;

/** The slides the store knows and the files behind them, opened when needed. */
export class SlideLibrary {
  readonly #store: Store;
  readonly #open = new Map<SlideId, Promise<SlideSource>>();
  readonly #luts = new Map<SlideId, Uint8Array>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Opens a file, remembers it under its fingerprint and returns it. Reader errors pass through. */
  async add(path: string, isDemo = false): Promise<Slide> {
    const source = await openSlideSource(path);
    try {
      const id = await fingerprintSlide(path);
      const known = await this.#store.getSlide(id);
      const found = await stat(path);
      const record: SlideRecord = {
        id,
        path,
        name: basename(path),
        sizeBytes: found.size,
        mtimeMs: found.mtimeMs,
        info: source.info,
        userMppUm: known?.userMppUm ?? null,
        openedAtMs: Date.now(),
        isDemo: isDemo || (known?.isDemo ?? false),
      };
      await this.#store.putSlide(record);
      await this.#keep(id, source);
      return await this.#describe(record);
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** Puts several files in; each that does not open is named with its reason, the others are taken. */
  async addAll(files: readonly SlideFile[], pathOf: (grant: FileGrant) => string): Promise<AddedSlides> {
    const slides: AddedSlides['slides'][number][] = [];
    const refused: RefusedFile[] = [];
    for (const { grant, mppUm } of files) {
      const path = pathOf(grant);
      try {
        const slide = await this.add(path);
        slides.push({ ...(mppUm === null ? slide : await this.setMpp(slide.id, mppUm)), grant });
      } catch (error) {
        if (hasCode(error, 'DiskFull', 'StoreDamaged', 'StoreReadOnly')) throw error;
        refused.push({ grant, name: basename(path), error: toErrorPayload(error) });
      }
    }
    return { slides, refused };
  }

  /** Slides that are known by imported features alone are not among them: there is nothing to open. */
  async list(): Promise<readonly Slide[]> {
    const records = (await this.#store.listSlides()).filter(({ info }) => info.reader !== FEATURES_ONLY);
    return await Promise.all(records.map((record) => this.#describe(record)));
  }

  async get(id: SlideId): Promise<Slide> {
    return await this.#describe(await this.record(id));
  }

  /** Moves the slide to the front of the library; one whose file is gone comes back unavailable. Throws NotFound. */
  async reopen(id: SlideId): Promise<Slide> {
    const record = { ...(await this.record(id)), openedAtMs: Date.now() };
    await this.#store.putSlide(record);
    return await this.#describe(record);
  }

  /** Throws NotFound. */
  async record(id: SlideId): Promise<SlideRecord> {
    const record = await this.#store.getSlide(id);
    if (record === null) {
      throw new AppError('NotFound', 'This slide is not in the library.', { advice: 'Open its file again.' });
    }
    return record;
  }

  async setMpp(id: SlideId, mppUm: number | null): Promise<Slide> {
    if (mppUm !== null && !(mppUm >= 0.01 && mppUm <= 100)) {
      throw new AppError('InvalidRequest', 'The pixel size must lie between 0.01 and 100 µm per pixel.', {
        advice: 'A 40x scan is about 0.25, a 20x scan about 0.5.',
      });
    }
    const record = { ...(await this.record(id)), userMppUm: mppUm };
    await this.#store.putSlide(record);
    return await this.#describe(record);
  }

  async forget(id: SlideId): Promise<void> {
    await this.#release(id);
    await this.#store.forgetSlide(id);
  }

  /** The opened file of a slide; it may be kept and read for as long as the slide is known. Throws NotFound, SlideMoved, or what the reader says. */
  async source(id: SlideId): Promise<SlideSource> {
    const open = this.#open.get(id);
    if (open !== undefined) {
      this.#open.delete(id);
      this.#open.set(id, open);
      return await open;
    }
    const opening = this.#openAgain(id).then((source) => this.#lent(id, source));
    this.#open.set(id, opening);
    opening.catch(() => this.#open.delete(id));
    await this.#evict();
    return await opening;
  }

  /** The slide's colour profile as a cube. Throws NotFound where it has none, SlideDamaged for one of no use. */
  async colourLut(id: SlideId): Promise<Uint8Array> {
    const known = this.#luts.get(id);
    if (known !== undefined) return known;
    const profile = await (await this.source(id)).iccProfile();
    if (profile === null) throw new AppError('NotFound', 'This slide has no colour profile.');
    const lut = await iccLut(profile);
    this.#luts.set(id, lut);
    return lut;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((id) => this.#release(id)));
  }

  #lent(id: SlideId, source: SlideSource): SlideSource {
    return new RestingSource(source, () => this.#openAgain(id));
  }

  async #openAgain(id: SlideId): Promise<SlideSource> {
    const record = await this.record(id);
    const found = await stat(record.path).catch(() => null);
    if (found === null) throw slideMoved();
    if (found.size !== record.sizeBytes || found.mtimeMs !== record.mtimeMs) {
      if ((await fingerprintSlide(record.path)) !== id) throw slideMoved();
    }
    return await openSlideSource(record.path);
  }

  async #keep(id: SlideId, source: SlideSource): Promise<void> {
    await this.#release(id);
    this.#open.set(id, Promise.resolve(this.#lent(id, source)));
    await this.#evict();
  }

  async #evict(): Promise<void> {
    for (const id of [...this.#open.keys()].slice(0, Math.max(0, this.#open.size - MAX_OPEN_SOURCES))) {
      await this.#release(id);
    }
  }

  async #release(id: SlideId): Promise<void> {
    const open = this.#open.get(id);
    this.#open.delete(id);
    const source = await open?.catch(() => null);
    await source?.close();
  }

  async #describe(record: SlideRecord): Promise<Slide> {
    const available = (await stat(record.path).catch(() => null)) !== null;
    const { id, name, sizeBytes, info, openedAtMs, isDemo } = record;
    return { id, name, sizeBytes, info, mpp: pixelSizeInForce(record), openedAtMs, available, isDemo };
  }
}

/** The user's pixel size where one was given, else the file's, else null. */
export function pixelSizeInForce(record: Pick<SlideRecord, 'info' | 'userMppUm'>): PixelSize | null {
  const { userMppUm, info } = record;
  return userMppUm === null ? info.mpp : { xUm: userMppUm, yUm: userMppUm, source: 'user' };
}

function slideMoved(): AppError {
  return new AppError('SlideMoved', 'The slide file is no longer where it was last seen.', {
    advice: 'Open it again from its new place: everything computed for it will be found by its content.',
  });
}
