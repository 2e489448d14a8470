/** One stroke of the brush over the tissue mask, in level-0 pixels: it stays where it was drawn if the mpp changes. */
export interface MaskStroke {
  /** `add` makes everything under the brush tissue, `remove` makes it none. */
  readonly kind: 'add' | 'remove';
  readonly radiusLevel0Px: number;
  /** Centres of the brush along its way; at least one. */
  readonly points: readonly (readonly [number, number])[];
}

/** What the user painted, and what was taken back and can be painted again. */
export interface MaskEdits {
  readonly strokes: readonly MaskStroke[];
  readonly undone: readonly MaskStroke[];
}

export const NO_MASK_EDITS: MaskEdits = { strokes: [], undone: [] };

/** The edits with one stroke more; what had been undone is forgotten. A stroke without points changes nothing. */
export function addStroke(edits: MaskEdits, stroke: MaskStroke): MaskEdits {
  if (stroke.points.length === 0 || !(stroke.radiusLevel0Px > 0)) return edits;
  return { strokes: [...edits.strokes, thinStroke(stroke)], undone: [] };
}

/** The edits without their last stroke; the same edits where there is none. */
export function undoStroke({ strokes, undone }: MaskEdits): MaskEdits {
  const last = strokes.at(-1);
  return last === undefined ? { strokes, undone } : { strokes: strokes.slice(0, -1), undone: [...undone, last] };
}

/** The edits with the stroke last undone painted again; the same edits where there is none. */
export function redoStroke({ strokes, undone }: MaskEdits): MaskEdits {
  const last = undone.at(-1);
  return last === undefined ? { strokes, undone } : { strokes: [...strokes, last], undone: undone.slice(0, -1) };
}

/**
 * The stroke with whole pixels and without points nearer to the one before than a quarter of the brush: a mouse gives
 * hundreds of points where ten say the same. First and last point stay.
 */
export function thinStroke(stroke: MaskStroke): MaskStroke {
  const apart = stroke.radiusLevel0Px / 4;
  const points: (readonly [number, number])[] = [];
  stroke.points.forEach(([x, y], index) => {
    const last = points.at(-1);
    const isEnd = index === stroke.points.length - 1;
    if (last === undefined || isEnd || Math.hypot(x - last[0], y - last[1]) >= apart) {
      points.push([Math.round(x), Math.round(y)]);
    }
  });
  return { ...stroke, radiusLevel0Px: Math.round(stroke.radiusLevel0Px * 100) / 100, points };
}

/** Strokes and points that one mask may hold: a bound for what comes over the wire. */
const MAX_POINTS = 20_000;

/** The strokes in a JSON value, or null where it is not a list of strokes within bounds. */
export function parseStrokes(value: unknown): readonly MaskStroke[] | null {
  if (!Array.isArray(value)) return null;
  const strokes: MaskStroke[] = [];
  let pointCount = 0;
  for (const item of value) {
    const { kind, radiusLevel0Px, points } = (item ?? {}) as Partial<Record<string, unknown>>;
    if (kind !== 'add' && kind !== 'remove') return null;
    if (!isFiniteNumber(radiusLevel0Px) || radiusLevel0Px <= 0 || !Array.isArray(points) || points.length === 0)
      return null;
    pointCount += points.length;
    if (pointCount > MAX_POINTS || !points.every(isPoint)) return null;
    strokes.push({ kind, radiusLevel0Px, points: points.map(([x, y]) => [x, y]) });
  }
  return strokes;
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isPoint(value: unknown): value is readonly [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every(isFiniteNumber);
}
