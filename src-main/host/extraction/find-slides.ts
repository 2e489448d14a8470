import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { AppError } from '../../../src-shared/errors.ts';
import { fingerprintSlide } from '../../engine/slide/fingerprint.ts';
import { openSlideSource } from '../../engine/slide/open-slide.ts';
import type { SlideRecord, Store } from '../../engine/store/store.ts';

const SHORTEST_ID = 8;

/**
 * The slides of a store that a user names: by file (found by content), by name with or without extension, or by the
 * start of the fingerprint; null = all. @throws AppError NotFound
 */
export async function findSlides(store: Store, named: string | null): Promise<readonly SlideRecord[]> {
  const all = await store.listSlides();
  if (named === null) return all;
  const id = (await isFile(named)) ? await fingerprintSlide(named) : null;
  const wanted = basename(named);
  const matches = (slide: SlideRecord): boolean =>
    id === null ? slide.name === wanted || basename(slide.name, extname(slide.name)) === wanted : slide.id === id;
  const found = all.filter((slide) => matches(slide) || (named.length >= SHORTEST_ID && slide.id.startsWith(named)));
  if (found.length > 0) return found;
  throw new AppError('NotFound', `The store knows no slide ${wanted}.`, {
    advice: 'Give the slide’s file, its name or the start of its fingerprint.',
  });
}

/** The slide of a file, put into the store where it is not there yet. Throws as the slide's reader. */
export async function openIntoStore(store: Store, path: string): Promise<SlideRecord> {
  const source = await openSlideSource(path);
  try {
    const id = await fingerprintSlide(path);
    const known = await store.getSlide(id);
    if (known !== null) return known;
    const { size, mtimeMs } = await stat(path);
    const facts = { id, path, name: basename(path), sizeBytes: size, mtimeMs, info: source.info };
    const slide: SlideRecord = { ...facts, userMppUm: null, openedAtMs: Date.now(), isDemo: false };
    await store.putSlide(slide);
    return slide;
  } finally {
    await source.close();
  }
}

const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => null))?.isFile() ?? false;
