import { AppError } from '../../../../src-shared/errors.ts';
import { seededRandom, shuffledIndices } from '../../../../src-shared/numeric/random.ts';
import type { ImageSize, LabelledPoint, LabelMask } from './annotation.ts';

/** A patch to cut out of an image, in its pixels, with the class it gets. */
export interface PatchBox {
  readonly x0Px: number;
  readonly y0Px: number;
  readonly sizePx: number;
  readonly label: string;
}

export const PRESENT = 'present';
export const ABSENT = 'absent';
export const POSITIVE = 'positive';
export const NEGATIVE = 'negative';

/**
 * Detections in dense fields: overlapping patches, each `present` where a point lies in it, else `absent`. Source:
 * Mormont et al. 2021 (Warwick CRC, 100 px).
 *
 * @throws AppError InvalidRequest for a patch larger than the image.
 */
export function densePatches(
  image: ImageSize,
  points: readonly LabelledPoint[],
  { sizePx, stridePx }: { readonly sizePx: number; readonly stridePx: number },
): readonly PatchBox[] {
  return gridOf(image, sizePx, stridePx).map((box) => ({
    ...box,
    label: points.some((point) => holds(box, point)) ? PRESENT : ABSENT,
  }));
}

/**
 * Detections of rare objects: all patches of a grid without any point are `absent`; every point gives `shifts` patches
 * `present`, drawn so that it lies in them and they lie in the image. Source: Mormont et al. 2021 (MITOS-ATYPIA 14,
 * TUPAC16: exhaustive negatives, ten shifted patches per positive).
 *
 * @throws AppError InvalidRequest for a patch larger than the image.
 */
export function rarePatches(
  image: ImageSize,
  points: readonly LabelledPoint[],
  options: { readonly sizePx: number; readonly stridePx: number; readonly shifts: number; readonly seed: number },
): readonly PatchBox[] {
  const { sizePx, stridePx, shifts, seed } = options;
  const absent = gridOf(image, sizePx, stridePx).filter((box) => !points.some((point) => holds(box, point)));
  const random = seededRandom(seed);
  const inside = points.filter(({ xPx, yPx }) => xPx >= 0 && yPx >= 0 && xPx < image.widthPx && yPx < image.heightPx);
  const present = inside.flatMap((point) =>
    Array.from({ length: shifts }, () => ({
      x0Px: shiftedStart(point.xPx, sizePx, image.widthPx, random),
      y0Px: shiftedStart(point.yPx, sizePx, image.heightPx, random),
      sizePx,
      label: PRESENT,
    })),
  );
  return [...absent.map((box) => ({ ...box, label: ABSENT })), ...present];
}

/** A start from which `sizePx` pixels hold the place, within the image; every such start is as likely. */
function shiftedStart(atPx: number, sizePx: number, lengthPx: number, random: () => number): number {
  const at = Math.floor(atPx);
  const first = Math.max(0, at - sizePx + 1);
  const last = Math.min(lengthPx - sizePx, at);
  return first + Math.floor(random() * (last - first + 1));
}

/**
 * Outlined regions: a patch is `positive` where at least `threshold` of its area is annotated, else `negative`. Source:
 * Mormont et al. 2021 (Janowczyk 1: 5 % at 250 px every 125; Janowczyk 2, Breast 2: 10 %).
 *
 * @throws AppError InvalidRequest for a patch larger than the mask.
 */
export function maskPatches(
  mask: LabelMask,
  { sizePx, stridePx, threshold }: { readonly sizePx: number; readonly stridePx: number; readonly threshold: number },
): readonly PatchBox[] {
  const sums = annotatedSums(mask);
  return gridOf(mask, sizePx, stridePx).map((box) => {
    const share = areaOf(sums, mask.widthPx, box) / (sizePx * sizePx);
    return { ...box, label: share >= threshold ? POSITIVE : NEGATIVE };
  });
}

/**
 * Classes of pixels: a patch gets the class of its central pixel (of an even size the one right below the centre).
 * Source: Mormont et al. 2021 (Breast 1).
 *
 * @param names of the mask's values; a value without a name is named by its number.
 * @throws AppError InvalidRequest for a patch larger than the mask.
 */
export function centralPixelPatches(
  mask: LabelMask,
  { sizePx, stridePx }: { readonly sizePx: number; readonly stridePx: number },
  names: ReadonlyMap<number, string>,
): readonly PatchBox[] {
  const centre = Math.floor(sizePx / 2);
  return gridOf(mask, sizePx, stridePx).map((box) => {
    const value = mask.values[(box.y0Px + centre) * mask.widthPx + box.x0Px + centre] ?? 0;
    return { ...box, label: names.get(value) ?? String(value) };
  });
}

/** At most so many patches of each class, drawn evenly; in the order given. */
export function atMostPerClass(boxes: readonly PatchBox[], most: number, seed: number): readonly PatchBox[] {
  const order = shuffledIndices(boxes.length, seededRandom(seed));
  const counts = new Map<string, number>();
  const kept = new Set<number>();
  for (const i of order) {
    const label = boxes[i]?.label ?? '';
    const count = counts.get(label) ?? 0;
    if (count >= most) continue;
    counts.set(label, count + 1);
    kept.add(i);
  }
  return boxes.filter((_, i) => kept.has(i));
}

/** All patches of a grid that lie in the image as a whole. */
function gridOf({ widthPx, heightPx }: ImageSize, sizePx: number, stridePx: number): Omit<PatchBox, 'label'>[] {
  if (sizePx > widthPx || sizePx > heightPx) {
    throw new AppError('InvalidRequest', `A patch of ${sizePx} px does not fit into ${widthPx} x ${heightPx} px.`, {
      advice: 'Choose a smaller patch.',
    });
  }
  const boxes: Omit<PatchBox, 'label'>[] = [];
  for (let y0Px = 0; y0Px + sizePx <= heightPx; y0Px += stridePx) {
    for (let x0Px = 0; x0Px + sizePx <= widthPx; x0Px += stridePx) boxes.push({ x0Px, y0Px, sizePx });
  }
  return boxes;
}

function holds({ x0Px, y0Px, sizePx }: Omit<PatchBox, 'label'>, { xPx, yPx }: LabelledPoint): boolean {
  return xPx >= x0Px && yPx >= y0Px && xPx < x0Px + sizePx && yPx < y0Px + sizePx;
}

/** Annotated pixels above and left of every corner, (width + 1) x (height + 1). Source: Crow 1984. */
function annotatedSums({ values, widthPx, heightPx }: LabelMask): Float64Array {
  const sums = new Float64Array((widthPx + 1) * (heightPx + 1));
  for (let y = 0; y < heightPx; y++) {
    let row = 0;
    for (let x = 0; x < widthPx; x++) {
      if (values[y * widthPx + x] !== 0) row++;
      sums[(y + 1) * (widthPx + 1) + x + 1] = (sums[y * (widthPx + 1) + x + 1] as number) + row;
    }
  }
  return sums;
}

function areaOf(sums: Float64Array, widthPx: number, { x0Px, y0Px, sizePx }: Omit<PatchBox, 'label'>): number {
  const at = (x: number, y: number): number => sums[y * (widthPx + 1) + x] as number;
  const [x1, y1] = [x0Px + sizePx, y0Px + sizePx];
  return at(x1, y1) - at(x0Px, y1) - at(x1, y0Px) + at(x0Px, y0Px);
}
