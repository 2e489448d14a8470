import { GLASS } from './canvas.ts';
import { encodeTile, isGlass } from './encode-tile.ts';

export const TILE_PX = 256;
const HALF_PX = TILE_PX / 2;

export interface LevelSize {
  readonly widthPx: number;
  readonly heightPx: number;
}

/** Sizes of the levels, each half of the one before, down to one that fits a screen. */
export function levelSizes(widthPx: number, heightPx: number): LevelSize[] {
  const sizes: LevelSize[] = [{ widthPx, heightPx }];
  for (let [w, h] = [widthPx, heightPx]; Math.max(w, h) > 2 * TILE_PX; ) {
    [w, h] = [Math.max(1, Math.floor(w / 2)), Math.max(1, Math.floor(h / 2))];
    sizes.push({ widthPx: w, heightPx: h });
  }
  return sizes;
}

/** Means of 2 x 2 pixels of an interleaved RGB image with even sides. */
export function halve(rgb: Uint8Array, widthPx: number, heightPx: number): Uint8Array {
  const outWidth = widthPx / 2;
  const out = new Uint8Array(outWidth * (heightPx / 2) * 3);
  const line = widthPx * 3;
  for (let y = 0, to = 0; y < heightPx; y += 2) {
    for (let x = 0, from = y * line; x < widthPx; x += 2, from += 6) {
      for (let channel = 0; channel < 3; channel++, to++) {
        const at = from + channel;
        const sum = (rgb[at] ?? 0) + (rgb[at + 3] ?? 0) + (rgb[at + line] ?? 0) + (rgb[at + line + 3] ?? 0);
        out[to] = (sum + 2) >> 2;
      }
    }
  }
  return out;
}

/** Takes encoded tiles of a level, in row-major order within each level. */
export type TileSink = (level: number, jpeg: Uint8Array) => void;

/**
 * The reduced levels, built while the finest is written: each keeps one row of tiles in memory, encodes it when it is
 * full and passes its half on to the next. Memory: width x 256 px in all, whatever the height.
 */
export class ReducedLevels {
  readonly #sizes: readonly LevelSize[];
  readonly #quality: number;
  readonly #emit: TileSink;
  readonly #bands: Band[];

  constructor(sizes: readonly LevelSize[], quality: number, emit: TileSink) {
    this.#sizes = sizes;
    this.#quality = quality;
    this.#emit = emit;
    this.#bands = sizes.map((size, level) => new Band(level === 0 ? 0 : size.widthPx));
  }

  /** A level-0 tile halved, or null for empty glass. */
  put(column: number, half: Uint8Array | null): void {
    this.#bands[1]?.put(column * HALF_PX, half, HALF_PX, HALF_PX);
  }

  /** All tiles of level-0 row `row` have been put. */
  endRow(row: number): void {
    this.#advance(1, (row + 1) * HALF_PX);
  }

  /** Level `level` is filled to `filledRows`, counted from its top. */
  #advance(level: number, filledRows: number): void {
    const size = this.#sizes[level];
    const band = this.#bands[level];
    if (!size || !band) return;
    const isLast = filledRows >= size.heightPx;
    band.rows += HALF_PX;
    if (band.rows < TILE_PX && !isLast) return;
    const columns = Math.ceil(size.widthPx / TILE_PX);
    for (let column = 0; column < columns; column++) {
      const tile = band.tile(column);
      this.#emit(level, encodeTile(tile, this.#quality));
      this.#bands[level + 1]?.put(
        column * HALF_PX,
        isGlass(tile) ? null : halve(tile, TILE_PX, TILE_PX),
        HALF_PX,
        HALF_PX,
      );
    }
    band.clear();
    this.#advance(level + 1, Math.ceil(filledRows / TILE_PX) * HALF_PX);
  }
}

/** One row of tiles of a level. */
class Band {
  rows = 0;
  readonly #strideBytes: number;
  readonly #rgb: Uint8Array;

  constructor(widthPx: number) {
    this.#strideBytes = Math.ceil(widthPx / TILE_PX) * TILE_PX * 3;
    this.#rgb = new Uint8Array(this.#strideBytes * TILE_PX);
    this.clear();
  }

  put(xPx: number, rgb: Uint8Array | null, widthPx: number, heightPx: number): void {
    if (rgb === null || xPx * 3 >= this.#strideBytes) return;
    for (let y = 0; y < heightPx; y++) {
      const line = rgb.subarray(y * widthPx * 3, (y + 1) * widthPx * 3);
      this.#rgb.set(line, (this.rows + y) * this.#strideBytes + xPx * 3);
    }
  }

  tile(column: number): Uint8Array {
    const out = new Uint8Array(TILE_PX * TILE_PX * 3);
    for (let y = 0; y < TILE_PX; y++) {
      const from = y * this.#strideBytes + column * TILE_PX * 3;
      out.set(this.#rgb.subarray(from, from + TILE_PX * 3), y * TILE_PX * 3);
    }
    return out;
  }

  clear(): void {
    this.rows = 0;
    const rgb = this.#rgb;
    if (rgb.length === 0) return;
    rgb.set(GLASS, 0);
    for (let filled = 3; filled < rgb.length; filled *= 2) {
      rgb.copyWithin(filled, 0, Math.min(filled, rgb.length - filled));
    }
  }
}
