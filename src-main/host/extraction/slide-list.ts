import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileKindOf } from '../../../src-shared/api/file-kinds.ts';
import { AppError } from '../../../src-shared/errors.ts';
import { parseLabels } from '../../engine/interop/labels.ts';

/** A slide of an archive, as a folder or a list names it. */
export interface ListedSlide {
  readonly path: string;
  /** µm per level-0 pixel where the list gives one. */
  readonly mppUm: number | null;
  readonly caseId: string;
  readonly labels: Readonly<Record<string, string>>;
}

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
  const slides = found.isDirectory() ? await slidesInFolder(place) : await slidesInList(place);
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
    .map((name) => ({ path: resolve(folder, name), mppUm: null, caseId: stemOf(name), labels: {} }));
}

async function slidesInList(path: string): Promise<readonly ListedSlide[]> {
  if (fileKindOf(path) === 'slide') {
    return [{ path: resolve(path), mppUm: null, caseId: stemOf(path), labels: {} }];
  }
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('FileUnreadable', `${basename(path)} cannot be read.`, { detail: String(cause), cause });
  });
  const folder = dirname(resolve(path));
  const beside = await readdir(folder);
  return parseLabels(text).rows.map(({ slide, mppUm, caseId, labels }) => {
    const exact = resolve(folder, slide);
    const byStem = beside.find((name) => fileKindOf(name) === 'slide' && stemOf(name) === slide);
    // What is not there is kept: opening it says so, and the other slides go on.
    const found = existsSync(exact) || byStem === undefined ? exact : join(folder, byStem);
    return { path: found, mppUm, caseId, labels };
  });
}

const stemOf = (name: string): string => basename(name, extname(name));

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
