import { svgFigure, svgText, textWidth } from './svg-parts.ts';

export interface HeatMap {
  readonly title: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** rows x columns, 0..1; NaN is shown grey. */
  readonly values: readonly (readonly number[])[];
  readonly notes: readonly string[];
}

const CELL = 34;

/** A matrix as squares from white to dark blue, each with its value. */
export function heatSvg({ title, rows, columns, values, notes }: HeatMap): string {
  const widest = (names: readonly string[]) => Math.max(0, ...names.map((name) => textWidth(name)));
  const [left, top] = [14 + widest(rows), 36 + widest(columns)];
  const cells = rows.flatMap((_, i) =>
    columns.map((__, j) => {
      const value = values[i]?.[j] ?? Number.NaN;
      const [fill, ink] = heatColours(value);
      const [x, y] = [left + j * CELL, top + i * CELL];
      const text = Number.isFinite(value) ? value.toFixed(2) : '';
      const square = `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${CELL}" height="${CELL}" fill="${fill}"/>`;
      return square + svgText(x + CELL / 2, y + CELL / 2 + 4, text, { anchor: 'middle', fill: ink });
    }),
  );
  const labels = [
    ...rows.map((name, i) => svgText(left - 6, top + i * CELL + CELL / 2 + 4, name, { anchor: 'end' })),
    ...columns.map((name, j) => svgText(left + j * CELL + CELL / 2 + 4, top - 6, name, { turn: -90 })),
  ];
  const width = Math.max(left + columns.length * CELL + 16, textWidth(title, 13) + 24, 420);
  const heading = svgText(8, 20, title, { size: 13 });
  return svgFigure(width, top + rows.length * CELL + 12, title, [heading, ...cells, ...labels], notes);
}

/** White to dark blue; writing stays readable on it. */
function heatColours(value: number): readonly [string, string] {
  if (!Number.isFinite(value)) return ['#eee', '#000'];
  const t = Math.min(1, Math.max(0, value));
  const mix = (from: number, to: number): number => Math.round(from + (to - from) * t);
  return [`rgb(${mix(255, 8)},${mix(255, 48)},${mix(255, 107)})`, t > 0.55 ? '#fff' : '#000'];
}
