import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import sharp from 'sharp';
import type { FoundTask } from './find-tasks.ts';
import { jpegQuality } from './jpeg-quality.ts';
import {
  listed,
  MIN_GROUPS_PER_CLASS,
  MIN_IMAGES_PER_CLASS,
  type PatchImage,
  type PatchRow,
  type PatchTask,
  type SkippedTask,
  type TaskOptions,
} from './patch-task.ts';

const READ_AT_ONCE = 16;

/**
 * Reads every image of a task once and decides what of it can be used. Unreadable, unlabelled and repeated images are
 * left out and named; a task of one class, or with too few images or groups in a class, is skipped with the reason.
 * Groups are kept whole: a split that comes with the task is used only where no group is on both of its sides.
 */
export async function checkTask(found: FoundTask, options: TaskOptions): Promise<PatchTask | SkippedTask> {
  const { name } = found;
  const notes: string[] = [];
  const unlabelled = found.rows.filter(({ label }) => label === '').length;
  if (unlabelled > 0)
    notes.push(
      `${counted(unlabelled, 'image')} ${unlabelled === 1 ? 'has' : 'have'} no label and ${wasOrWere(unlabelled)} left out.`,
    );
  const read = await readImages(
    found.rows.filter(({ label }) => label !== ''),
    notes,
  );
  const unique = withoutRepeats(read, notes);
  const { images, grouped } = withGroups(name, unique, options, notes);
  const classes = [...new Set(images.map(({ label }) => label))].sort();
  const reason = whyUnusable(images, classes, grouped);
  if (reason !== null) return { name, reason: [reason, ...notes].join(' ') };
  if (!grouped) notes.push('No patients are known: images are treated as independent, which is optimistic.');
  nameSizes(images, notes);
  if (grouped) nameSpanning(images, notes);
  const heldOut = options.crossValidate !== true && ownPartsUsable(images, classes, notes);
  return { name, classes, images, grouped, heldOut, notes };
}

async function readImages(rows: readonly PatchRow[], notes: string[]): Promise<PatchImage[]> {
  const images: PatchImage[] = [];
  const unreadable: string[] = [];
  for (let first = 0; first < rows.length; first += READ_AT_ONCE) {
    const batch = rows.slice(first, first + READ_AT_ONCE);
    const read = await Promise.all(batch.map(readImage));
    read.forEach((image, i) => {
      if (image === null) unreadable.push(basename(batch[i]?.path ?? ''));
      else images.push(image);
    });
  }
  if (unreadable.length > 0) {
    const what = `${counted(unreadable.length, 'image')} cannot be read and ${wasOrWere(unreadable.length)} left out`;
    notes.push(`${what}: ${listed(unreadable)}.`);
  }
  return images;
}

async function readImage(row: PatchRow): Promise<PatchImage | null> {
  try {
    const bytes = await readFile(row.path);
    const image = sharp(bytes);
    const { width, height } = await image.metadata();
    const { channels } = await image.stats();
    const red = channels[0]?.mean ?? 0;
    const isColour = channels.length >= 3;
    return {
      path: row.path,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      label: row.label,
      group: row.group,
      part: partOf(row.split),
      widthPx: width,
      heightPx: height,
      bytes: bytes.byteLength,
      meanRgb: isColour ? [red, channels[1]?.mean ?? 0, channels[2]?.mean ?? 0] : [red, red, red],
      jpegQuality: jpegQuality(bytes),
    };
  } catch {
    return null;
  }
}

/** Validation and test are one held-out part here: nothing is chosen on either. */
function partOf(split: string): PatchImage['part'] {
  const name = split.toLowerCase();
  if (name === 'train') return 'train';
  return ['test', 'val', 'valid', 'validation'].includes(name) ? 'test' : null;
}

/** An image that occurs twice is taken once; with two labels it is taken not at all. */
function withoutRepeats(images: readonly PatchImage[], notes: string[]): PatchImage[] {
  const first = new Map<string, PatchImage>();
  const contradicting = new Set<string>();
  for (const image of images) {
    const known = first.get(image.sha256);
    if (known === undefined) first.set(image.sha256, image);
    else if (known.label !== image.label) contradicting.add(image.sha256);
  }
  const kept = [...first.values()].filter(({ sha256 }) => !contradicting.has(sha256));
  if (contradicting.size > 0)
    notes.push(
      `${counted(contradicting.size, 'image')} ${contradicting.size === 1 ? 'occurs' : 'occur'} under two labels and ${wasOrWere(contradicting.size)} left out.`,
    );
  const repeats = images.length - first.size;
  const again = repeats - contradicting.size;
  if (again > 0) notes.push(`${counted(again, 'repeated image')} ${wasOrWere(again)} taken once.`);
  return kept;
}

function withGroups(
  name: string,
  images: readonly PatchImage[],
  { ungrouped = [], groupPattern = null }: TaskOptions,
  notes: string[],
): { images: PatchImage[]; grouped: boolean } {
  const named = images.some(({ group }) => group !== '') && !ungrouped.includes(name);
  const groupOf = (image: PatchImage): string => {
    if (named) return image.group;
    return groupPattern?.exec(basename(image.path))?.[1] ?? '';
  };
  const groups = images.map(ungrouped.includes(name) ? () => '' : groupOf);
  const grouped = groups.some((group) => group !== '');
  const alone = groups.filter((group) => group === '').length;
  if (grouped && alone > 0)
    notes.push(
      `${counted(alone, 'image')} ${alone === 1 ? 'names no group and is a group of its own' : 'name no group and are a group each'}.`,
    );
  return { grouped, images: images.map((image, i) => ({ ...image, group: groups[i] || image.sha256 })) };
}

function whyUnusable(images: readonly PatchImage[], classes: readonly string[], grouped: boolean): string | null {
  if (images.length === 0) return 'None of its images can be used.';
  if (classes.length < 2) return `It has one class only (${classes.join()}).`;
  for (const label of classes) {
    const members = images.filter((image) => image.label === label);
    if (members.length < MIN_IMAGES_PER_CLASS) {
      return `Class ${label} has ${counted(members.length, 'image')}; ${MIN_IMAGES_PER_CLASS} are needed.`;
    }
    const groups = new Set(members.map(({ group }) => group)).size;
    if (grouped && groups < MIN_GROUPS_PER_CLASS) {
      const advice = 'Where the groups are no patients, name the task under --ungrouped.';
      return `Class ${label} has ${counted(groups, 'group')}; ${MIN_GROUPS_PER_CLASS} are needed to keep them apart. ${advice}`;
    }
  }
  return null;
}

function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

function wasOrWere(count: number): string {
  return count === 1 ? 'was' : 'were';
}

function nameSizes(images: readonly PatchImage[], notes: string[]): void {
  const sizes = [...new Set(images.map(({ widthPx, heightPx }) => `${widthPx} x ${heightPx}`))].sort();
  if (sizes.length > 1) {
    notes.push(
      `Its images have ${sizes.length} sizes (${listed(sizes)} px); all are stretched to the backbone's input.`,
    );
  }
}

function nameSpanning(images: readonly PatchImage[], notes: string[]): void {
  const labels = new Map<string, Set<string>>();
  for (const { group, label } of images) labels.set(group, (labels.get(group) ?? new Set()).add(label));
  const spanning = [...labels].filter(([, of]) => of.size > 1).map(([group]) => group);
  if (spanning.length === 0) return;
  notes.push(
    `${spanning.length} of ${labels.size} groups hold more than one class (${listed(spanning.sort())}); they are kept whole.`,
  );
}

function ownPartsUsable(images: readonly PatchImage[], classes: readonly string[], notes: string[]): boolean {
  if (images.some(({ part }) => part === null)) return false;
  const classesIn = (wanted: string) => new Set(images.filter(({ part }) => part === wanted).map(({ label }) => label));
  if (classesIn('train').size < classes.length || classesIn('test').size < classes.length) return false;
  const train = new Set(images.filter(({ part }) => part === 'train').map(({ group }) => group));
  const both = new Set(
    images.filter(({ part, group }) => part === 'test' && train.has(group)).map(({ group }) => group),
  );
  if (both.size === 0) return true;
  notes.push(`Its own split has ${listed([...both].sort())} on both sides: it is refused, groups are split anew.`);
  return false;
}
