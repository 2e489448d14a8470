import type { MaskStroke } from '../../../src-shared/model/mask-edits.ts';
import { TISSUE_CLASS, type TissueMask } from './mask.ts';

/**
 * The mask with the user's strokes painted over it, in order: `add` makes every mask pixel whose centre lies under the
 * brush tissue, whatever it was; `remove` makes it background. The mask given is not changed.
 */
export function applyStrokes(mask: TissueMask, strokes: readonly MaskStroke[]): TissueMask {
  if (strokes.length === 0) return mask;
  const classes = mask.classes.slice();
  for (const { kind, radiusLevel0Px, points } of strokes) {
    const code = kind === 'add' ? TISSUE_CLASS.tissue : TISSUE_CLASS.background;
    points.forEach((point, index) => {
      paintCapsule(mask, classes, points[index - 1] ?? point, point, radiusLevel0Px, code);
    });
  }
  return { ...mask, classes };
}

/** Paints what lies within `radius` of the segment from `a` to `b` (level-0 pixels). */
function paintCapsule(
  mask: TissueMask,
  classes: Uint8Array,
  a: readonly [number, number],
  b: readonly [number, number],
  radius: number,
  code: number,
): void {
  const { downsampleX, downsampleY } = mask;
  const left = Math.max(0, Math.floor((Math.min(a[0], b[0]) - radius) / downsampleX));
  const right = Math.min(mask.widthPx - 1, Math.floor((Math.max(a[0], b[0]) + radius) / downsampleX));
  const top = Math.max(0, Math.floor((Math.min(a[1], b[1]) - radius) / downsampleY));
  const bottom = Math.min(mask.heightPx - 1, Math.floor((Math.max(a[1], b[1]) + radius) / downsampleY));
  const dx = b[0] - a[0];
  const dy = b[1] - a[1];
  const lengthSquared = dx * dx + dy * dy;
  for (let y = top; y <= bottom; y++) {
    const py = (y + 0.5) * downsampleY - a[1];
    for (let x = left; x <= right; x++) {
      const px = (x + 0.5) * downsampleX - a[0];
      const along = lengthSquared === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / lengthSquared));
      if (Math.hypot(px - along * dx, py - along * dy) <= radius) classes[y * mask.widthPx + x] = code;
    }
  }
}
