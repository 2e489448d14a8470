import { IMAGE_SHIFTS, type ImageShift } from './image-shifts.ts';
import { sampleColours } from './svg-colours.ts';
import { shareTicks, svgDot, svgFigure, svgLine, svgPolyline, svgText, textWidth } from './svg-parts.ts';

/** What a backbone reaches without any shift and under each. */
export interface ShiftCurve {
  readonly name: string;
  readonly unchanged: number;
  readonly shifts: readonly { readonly shift: string; readonly level: number; readonly value: number | null }[];
}

export interface ShiftFigure {
  readonly title: string;
  /** Values are drawn from here to 1; lower ones lower it. */
  readonly lowest: number;
  readonly curves: readonly ShiftCurve[];
  readonly notes: readonly string[];
}

const [PANEL, HEIGHT, GAP, LEFT, TOP] = [128, 190, 22, 52, 52];

/** One panel for each shift, one curve for each backbone; every panel holds the unchanged images too. */
export function shiftsSvg({ title, lowest, curves, notes }: ShiftFigure): string {
  const values = curves.flatMap(({ unchanged, shifts }) => [unchanged, ...shifts.flatMap(({ value }) => value ?? [])]);
  const low = Math.min(lowest, Math.floor(10 * Math.min(1, ...values)) / 10);
  const y = (value: number): number => TOP + HEIGHT * (1 - (value - low) / (1 - low));
  const colours = sampleColours(curves.length);
  const parts = [svgText(8, 20, title, { size: 13 })];
  for (const value of shareTicks(low)) {
    parts.push(svgText(LEFT - 6, y(value) + 4, (100 * value).toFixed(0), { anchor: 'end', size: 10 }));
  }
  IMAGE_SHIFTS.forEach((shift, p) => {
    parts.push(...panel(shift, LEFT + p * (PANEL + GAP), y, low, curves, colours));
  });
  const right = LEFT + IMAGE_SHIFTS.length * (PANEL + GAP);
  curves.forEach(({ name }, c) => {
    const at = TOP + 8 + 18 * c;
    parts.push(
      svgLine([right, at], [right + 20, at], colours[c] ?? '#000', { width: 2 }),
      svgText(right + 26, at + 4, name),
    );
  });
  const width = right + 40 + Math.max(...curves.map(({ name }) => textWidth(name)), 60);
  return svgFigure(width, TOP + HEIGHT + 44, title, parts, notes);
}

function panel(
  { name, unit, levels }: ImageShift,
  left: number,
  y: (value: number) => number,
  low: number,
  curves: readonly ShiftCurve[],
  colours: readonly string[],
): string[] {
  const places = placesOf(name, levels);
  const x = (place: number): number => left + 8 + ((PANEL - 16) * place) / (places.length - 1);
  const parts = [svgText(left + PANEL / 2, TOP - 10, `${name} (${unit})`, { anchor: 'middle' })];
  for (const value of shareTicks(low)) parts.push(svgLine([left, y(value)], [left + PANEL, y(value)], '#ddd'));
  places.forEach((level, place) => {
    const label = level === null ? 'none' : String(level);
    parts.push(svgText(x(place), TOP + HEIGHT + 16, label, { anchor: 'middle', size: 10 }));
  });
  curves.forEach(({ name: backbone, unchanged, shifts }, c) => {
    const colour = colours[c] ?? '#000';
    const at = (level: number) => shifts.find((it) => it.shift === name && it.level === level)?.value ?? null;
    const values = places.map((level) => (level === null ? unchanged : at(level)));
    const points = values.flatMap((value, place) => (value === null ? [] : [[x(place), y(value), place] as const]));
    parts.push(
      svgPolyline(
        points.map(([px, py]) => [px, py] as const),
        colour,
      ),
    );
    for (const [px, py, place] of points) {
      const level = places[place] === null ? 'unchanged' : `${name} ${places[place]}`;
      parts.push(svgDot(px, py, colour, `${backbone}, ${level}: ${(100 * (values[place] ?? 0)).toFixed(1)}`));
    }
  });
  return parts;
}

/** Levels in the order they are drawn in, null = unchanged: JPEG counts down, a scale goes both ways from it. */
function placesOf(shift: string, levels: readonly number[]): readonly (number | null)[] {
  const sorted = levels.toSorted((a, b) => (shift === 'JPEG' ? b - a : a - b));
  if (shift !== 'scale') return [null, ...sorted];
  return [...sorted.filter((level) => level < 1), null, ...sorted.filter((level) => level > 1)];
}
