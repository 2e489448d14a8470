/**
 * Seeded randomness that depends on a place alone: the same cell gives the same numbers whichever tile asks, so that
 * tiles can be painted in any order, on any thread, and still join without a seam.
 */

/** A well mixed 32-bit hash of a cell (integers) and a salt. Source: the finaliser of MurmurHash3. */
export function hashCell(x: number, y: number, salt: number): number {
  let h = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ Math.imul(salt, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h ^= h >>> 16;
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

/** A stream of uniform numbers in [0, 1). */
export type Random = () => number;

/** The stream that belongs to a cell. Source: mulberry32. */
export function randomOfCell(x: number, y: number, salt: number): Random {
  let state = hashCell(x, y, salt);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const SIDE = 128;
const WRAP = SIDE - 1;

/** Tables of one seed: `values` for value noise, `angles` (cos, sin) for gradient noise. */
export interface NoiseTables {
  readonly values: Float32Array;
  readonly gradientX: Float32Array;
  readonly gradientY: Float32Array;
}

export function makeNoise(seed: number): NoiseTables {
  const random = randomOfCell(seed, 0, 0x51ab);
  const values = Float32Array.from({ length: SIDE * SIDE }, () => random());
  const angles = Float64Array.from({ length: SIDE * SIDE }, () => random() * 2 * Math.PI);
  return { values, gradientX: Float32Array.from(angles, Math.cos), gradientY: Float32Array.from(angles, Math.sin) };
}

/** Smooth value noise in 0..1, cells of side 1, period 128. For texture: cheap. */
export function valueNoise({ values }: NoiseTables, x: number, y: number): number {
  const cellX = Math.floor(x);
  const cellY = Math.floor(y);
  let fx = x - cellX;
  let fy = y - cellY;
  fx = fx * fx * (3 - 2 * fx);
  fy = fy * fy * (3 - 2 * fy);
  const left = cellX & WRAP;
  const right = (cellX + 1) & WRAP;
  const top = (cellY & WRAP) * SIDE;
  const bottom = ((cellY + 1) & WRAP) * SIDE;
  const above = values[top + left] ?? 0;
  const below = values[bottom + left] ?? 0;
  const upper = above + ((values[top + right] ?? 0) - above) * fx;
  return upper + (below + ((values[bottom + right] ?? 0) - below) * fx - upper) * fy;
}

/** Gradient noise, about -0.7..0.7, cells of side 1, period 128. For shapes: no grid shows. Source: Perlin 2002. */
export function gradientNoise({ gradientX, gradientY }: NoiseTables, x: number, y: number): number {
  const cellX = Math.floor(x);
  const cellY = Math.floor(y);
  const fx = x - cellX;
  const fy = y - cellY;
  const u = fx * fx * fx * (fx * (fx * 6 - 15) + 10);
  const v = fy * fy * fy * (fy * (fy * 6 - 15) + 10);
  const left = cellX & WRAP;
  const right = (cellX + 1) & WRAP;
  const top = (cellY & WRAP) * SIDE;
  const bottom = ((cellY + 1) & WRAP) * SIDE;
  const a = (gradientX[top + left] ?? 0) * fx + (gradientY[top + left] ?? 0) * fy;
  const b = (gradientX[top + right] ?? 0) * (fx - 1) + (gradientY[top + right] ?? 0) * fy;
  const c = (gradientX[bottom + left] ?? 0) * fx + (gradientY[bottom + left] ?? 0) * (fy - 1);
  const d = (gradientX[bottom + right] ?? 0) * (fx - 1) + (gradientY[bottom + right] ?? 0) * (fy - 1);
  const upper = a + (b - a) * u;
  return upper + (c + (d - c) * u - upper) * v;
}

/** 0 below `low`, 1 above `high`, smooth between. */
export function smoothStep(low: number, high: number, value: number): number {
  const t = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return t * t * (3 - 2 * t);
}
