import { emptyFields, FIELD_NAMES, type FieldName, fieldsAt } from './fields.ts';
import type { Scene } from './scene.ts';
import { scratchArray } from './scratch.ts';

/** Pitch of the lattice on which the smooth fields are evaluated, level-0 pixels; anchored at the slide's origin. */
const PITCH_PX = 8;

/** Fields of a rectangle of pixels: lattice values, expanded one field at a time. */
export interface FieldLattice {
  readonly x0Px: number;
  readonly y0Px: number;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly columns: number;
  readonly rows: number;
  readonly values: Readonly<Record<FieldName, Float32Array>>;
}

export function sampleLattice(
  scene: Scene,
  x0Px: number,
  y0Px: number,
  widthPx: number,
  heightPx: number,
): FieldLattice {
  const left = Math.floor(x0Px / PITCH_PX);
  const top = Math.floor(y0Px / PITCH_PX);
  const columns = Math.floor((x0Px + widthPx - 1) / PITCH_PX) - left + 2;
  const rows = Math.floor((y0Px + heightPx - 1) / PITCH_PX) - top + 2;
  const values = Object.fromEntries(FIELD_NAMES.map((name) => [name, new Float32Array(columns * rows)])) as Record<
    FieldName,
    Float32Array
  >;
  const fields = emptyFields();
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const xUm = (left + column) * PITCH_PX * scene.mppUm;
      const yUm = (top + row) * PITCH_PX * scene.mppUm;
      fieldsAt(scene, xUm, yUm, fields);
      const at = row * columns + column;
      for (const name of FIELD_NAMES) values[name][at] = fields[name];
    }
  }
  return { x0Px, y0Px, widthPx, heightPx, columns, rows, values };
}

/**
 * One field at every pixel of the rectangle, bilinear between lattice points; the same value in any tiling.
 * The array is scratch space: valid until the same field is expanded again.
 */
export function expandField(lattice: FieldLattice, name: FieldName): Float32Array {
  const { x0Px, y0Px, widthPx, heightPx, columns } = lattice;
  const values = lattice.values[name];
  const out = scratchArray(name, widthPx * heightPx);
  const left = Math.floor(x0Px / PITCH_PX);
  const top = Math.floor(y0Px / PITCH_PX);
  const line = new Float64Array(columns);
  for (let y = 0, at = 0; y < heightPx; y++) {
    const latticeY = Math.floor((y0Px + y) / PITCH_PX);
    const fy = (y0Px + y) / PITCH_PX - latticeY;
    const upper = (latticeY - top) * columns;
    for (let column = 0; column < columns; column++) {
      const above = values[upper + column] ?? 0;
      line[column] = above + ((values[upper + columns + column] ?? 0) - above) * fy;
    }
    for (let column = 0; column + 1 < columns; column++) {
      const start = (left + column) * PITCH_PX;
      const from = line[column] ?? 0;
      const slope = ((line[column + 1] ?? 0) - from) / PITCH_PX;
      const end = Math.min(start + PITCH_PX, x0Px + widthPx);
      for (let x = Math.max(start, x0Px); x < end; x++, at++) out[at] = from + slope * (x - start);
    }
  }
  return out;
}

/** Largest value of a field over the rectangle's lattice points. */
export function fieldMaximum(lattice: FieldLattice, name: FieldName): number {
  return lattice.values[name].reduce((high, value) => Math.max(high, value), Number.NEGATIVE_INFINITY);
}
