import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileKindOf } from '../../../src-shared/api/file-kinds.ts';
import { AppError } from '../../../src-shared/errors.ts';
import { type ListedSlide, readSlideList } from '../../engine/extract/slide-list.ts';

export type { ListedSlide };

/**
 * The slides of a folder (with its subfolders, by path), or of a list: a CSV file with a column `wsi`, `slide_id` or
 * the like, perhaps `mpp`, and any label columns. A list names files beside it, with or without their extension, or by
 * absolute path.
 * @throws AppError NotFound, InvalidRequest, FileUnreadable
 */
export async function listSlides(place: string): Promise<readonly ListedSlide[]> {
  const found = await stat(place).catch(() => null);
  if (found === null)
    throw new AppError('NotFound', `There is no folder or list ${place}.`, { advice: 'Check its path.' });
  const slides = found.isDirectory() ? await slidesInFolder(place) : await slidesOfFile(place);
  if (slides.length > 0) return slides;
  throw new AppError('NotFound', `${basename(place)} holds no slides.`, {
    advice: 'Give a folder with slide files, or a CSV file with a column wsi.',
  });
}

async function slidesInFolder(folder: string): Promise<readonly ListedSlide[]> {
  const names = await readdir(folder, { recursive: true });
  return names
    .filter((name) => fileKindOf(name) === 'slide')
    .sort()
    .map((name) => ({ path: resolve(folder, name), mppUm: null, caseId: null, labels: {} }));
}

async function slidesOfFile(path: string): Promise<readonly ListedSlide[]> {
  if (fileKindOf(path) !== 'slide') return (await readSlideList(path)).slides;
  return [{ path: resolve(path), mppUm: null, caseId: null, labels: {} }];
}

/** Which part of a list a process takes: the slides at positions index, index + count, … (index from 1). */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** Reads `2/4`; null for anything else. */
export function parseShard(text: string): Shard | null {
  const match = /^(\d+)\/(\d+)$/.exec(text.trim());
  const [index, count] = [Number(match?.[1]), Number(match?.[2])];
  return match !== null && index >= 1 && index <= count ? { index, count } : null;
}

/** A shard's part: every slide of a list is in exactly one shard. */
export function shardOf<T>(items: readonly T[], { index, count }: Shard): readonly T[] {
  return items.filter((_, position) => position % count === index - 1);
}

/** Folder of a shard's own store, below the folder of the whole. */
export function shardFolder(storeFolder: string, { index, count }: Shard): string {
  return join(storeFolder, 'shards', `${index}-of-${count}`);
}
