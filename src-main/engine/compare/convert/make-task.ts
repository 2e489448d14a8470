import { mkdir, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import sharp from 'sharp';
import { AppError } from '../../../../src-shared/errors.ts';
import { csvLine } from '../../interop/csv.ts';
import { groupedSplit, type SplitShares, type StudyCase } from '../../study/splits.ts';
import { type ImageSize, readMask, readPoints } from './annotation.ts';
import type { AnnotatedImage } from './find-annotated.ts';
import {
  atMostPerClass,
  centralPixelPatches,
  densePatches,
  maskPatches,
  type PatchBox,
  rarePatches,
} from './patch-boxes.ts';

/** How annotations become classes; see `patch-boxes.ts`. Lengths in pixels of the images. */
export type Conversion = { readonly sizePx: number; readonly stridePx: number } & (
  | { readonly kind: 'dense' }
  | { readonly kind: 'rare'; readonly shifts: number }
  | { readonly kind: 'mask'; readonly threshold: number }
  | { readonly kind: 'central'; readonly names: ReadonlyMap<number, string> }
);

export interface MakeTaskRequest {
  readonly images: readonly AnnotatedImage[];
  readonly conversion: Conversion;
  /** A patch with a larger part of bright, colourless pixels is background and left out; 1 = none is. */
  readonly mostBackground: number;
  /** Patches of a class from one image, at most. */
  readonly mostPerClass: number;
  readonly seed: number;
  /** Shares of the groups that train, validate and test; null = no split, comparisons then cross-validate. */
  readonly split: SplitShares | null;
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface MadeTask {
  readonly folder: string;
  readonly patches: number;
  readonly classes: Readonly<Record<string, number>>;
  readonly groups: number;
  readonly background: number;
  /** Images that gave nothing, and why. */
  readonly leftOut: readonly { readonly image: string; readonly reason: string }[];
}

interface Written {
  readonly file: string;
  readonly label: string;
  readonly group: string;
  readonly source: string;
  readonly box: PatchBox;
}

/** A pixel this bright in every channel, and this even, is glass. */
const GLASS_LEVEL = 210;
const GLASS_SPREAD = 25;

/**
 * Cuts annotated images into a patch task: a folder per class, and `index.tsv` (file, split, label, group, source, x, y,
 * size) that `hyaline compare` reads, groups kept. An image that cannot be used is named, the rest goes on.
 *
 * @throws AppError InvalidRequest where fewer than two classes come out, or a split cannot hold all classes in all its
 * parts; DiskFull, Cancelled.
 */
export async function makeTask(request: MakeTaskRequest): Promise<MadeTask> {
  const written: Written[] = [];
  const leftOut: { image: string; reason: string }[] = [];
  let background = 0;
  for (const [n, annotated] of request.images.entries()) {
    if (request.signal?.aborted === true) throw new AppError('Cancelled', 'Making the task was cancelled.');
    try {
      const made = await convertImage(request, annotated, n);
      written.push(...made.written);
      background += made.background;
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'DiskFull') throw error;
      leftOut.push({ image: basename(annotated.path), reason: error.message });
    }
    request.onProgress?.(n + 1, request.images.length);
  }
  const classes = countsOf(written.map(({ label }) => label));
  if (Object.keys(classes).length < 2) {
    const [only] = Object.keys(classes);
    const reason = leftOut[0] === undefined ? '' : ` ${leftOut[0].image}: ${leftOut[0].reason}`;
    throw new AppError(
      'InvalidRequest',
      `${only === undefined ? 'No patch comes out.' : `All patches are ${only}.`}${reason}`,
      {
        advice: 'Change the size of the patches or the threshold, or check the annotations.',
      },
    );
  }
  const parts = request.split === null ? null : splitOf(written, request.split, request.seed);
  const lines = written.map(({ file, label, group, source, box }, i) => {
    return [file, parts?.[i] ?? '-', label, group, source, box.x0Px, box.y0Px, box.sizePx];
  });
  const header = ['file', 'split', 'label', 'group', 'source', 'x0_px', 'y0_px', 'size_px'];
  await writeFile(join(request.folder, 'index.tsv'), [header, ...lines].map((line) => `${line.join('\t')}\n`).join(''));
  const groups = new Set(written.map(({ group }) => group)).size;
  return { folder: request.folder, patches: written.length, classes, groups, background, leftOut };
}

async function convertImage(
  { conversion, mostBackground, mostPerClass, seed, folder }: MakeTaskRequest,
  { path, annotation, group }: AnnotatedImage,
  n: number,
): Promise<{ written: readonly Written[]; background: number }> {
  const { data, info } = await sharp(path)
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new AppError('FileUnreadable', 'It cannot be read.', { detail: String(cause), cause });
    });
  const image = { widthPx: info.width, heightPx: info.height };
  const all = await boxesOf(conversion, annotation, image, seed + n);
  const boxes = all.filter((box) => backgroundShare(data, info.width, info.channels, box) <= mostBackground);
  const kept = atMostPerClass(boxes, mostPerClass, seed + n);
  const stem = basename(path, extname(path));
  const written: Written[] = [];
  for (const [i, box] of kept.entries()) {
    const label = box.label.replaceAll(/[^\w.-]/g, '_');
    const file = `${label}/${stem}_${box.x0Px}_${box.y0Px}_${i}.png`;
    await mkdir(join(folder, label), { recursive: true });
    await sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } })
      .extract({ left: box.x0Px, top: box.y0Px, width: box.sizePx, height: box.sizePx })
      .png()
      .toFile(join(folder, file));
    written.push({ file, label, group: group.replaceAll(/\s+/g, ' '), source: basename(path), box });
  }
  return { written, background: all.length - boxes.length };
}

async function boxesOf(
  conversion: Conversion,
  annotation: string,
  image: ImageSize,
  seed: number,
): Promise<readonly PatchBox[]> {
  switch (conversion.kind) {
    case 'dense':
      return densePatches(image, await readPoints(annotation), conversion);
    case 'rare':
      return rarePatches(image, await readPoints(annotation), { ...conversion, seed });
    case 'mask':
      return maskPatches(await readMask(annotation, image), conversion);
    case 'central':
      return centralPixelPatches(await readMask(annotation, image), conversion, conversion.names);
  }
}

function backgroundShare(data: Uint8Array, widthPx: number, channels: number, box: PatchBox): number {
  let glass = 0;
  for (let y = box.y0Px; y < box.y0Px + box.sizePx; y++) {
    for (let x = box.x0Px; x < box.x0Px + box.sizePx; x++) {
      const at = (y * widthPx + x) * channels;
      const [r, g, b] = [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0];
      const darkest = Math.min(r, g, b);
      if (darkest >= GLASS_LEVEL && Math.max(r, g, b) - darkest <= GLASS_SPREAD) glass++;
    }
  }
  return glass / (box.sizePx * box.sizePx);
}

/** Seeds tried until every class is in every part: groups are few and hold several classes. */
const SPLITS_TRIED = 50;

/** `train`, `val` or `test` of each patch; groups whole, all classes in all parts. */
function splitOf(written: readonly Written[], shares: SplitShares, seed: number): readonly string[] {
  const cases: StudyCase[] = written.map(({ file, label, group }) => ({ id: file, label, group }));
  const classes = new Set(cases.map(({ label }) => label));
  for (let i = 0; i < SPLITS_TRIED; i++) {
    const split = groupedSplit(cases, shares, seed + i);
    const parts = [split.train, split.validation, split.test];
    const whole = parts.every(
      (part) => part.length === 0 || new Set(part.map((c) => cases[c]?.label)).size === classes.size,
    );
    if (!whole) continue;
    const names = new Array<string>(cases.length).fill('train');
    for (const index of split.validation) names[index] = 'val';
    for (const index of split.test) names[index] = 'test';
    return names;
  }
  throw new AppError('InvalidRequest', 'No split keeps groups whole and has every class in every part.', {
    advice: 'Leave --split out: a comparison then cross-validates, with groups kept whole.',
    detail: csvLine([...classes]),
  });
}

function countsOf(labels: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const label of [...labels].sort()) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}
