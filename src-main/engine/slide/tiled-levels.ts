import type { Interpolation } from '../../../src-shared/model/backbone.ts';
import type { SlideLevel } from '../../../src-shared/model/slide.ts';
import { givePixels, takePixels } from '../codec/pixel-pool.ts';
import { filterTaps } from './filters.ts';
import { missingMark } from './missing-tile.ts';
import { type AxisTaps, axisTaps, type OutputBlock, resampleBlock, sourceSpan } from './resample.ts';
import { formatUnsupported, invalidRequest, slideDamaged, throwIfCancelled } from './slide-errors.ts';
import type { RegionRequest, RgbImage } from './slide-source.ts';
import { TileCache } from './tile-cache.ts';

/** Decodes one stored tile at full tile size. */
export type TileLoader = (level: number, column: number, row: number) => Promise<RgbImage>;

const WHITE = 255;
const MAX_OUTPUT_PIXELS = 1 << 26;
/** Source pixels held at once while resampling: larger requests are done in blocks. */
const MAX_WINDOW_PIXELS = 1 << 23;
/** Reductions beyond this are done in two steps, so that one output pixel never needs an unbounded window. */
const MAX_DIRECT_SCALE = 64;
const DECODES_AT_ONCE = 8;
/** A level this little coarser than asked for still counts as fine enough: stored levels are cut to whole pixels. */
const LEVEL_TOLERANCE = 1.01;
const EPSILON_PX = 1e-6;

/** Where output pixels lie on a level: its pixel at the top left, and level pixels per output pixel. */
interface LevelRegion {
  readonly x: number;
  readonly y: number;
  readonly xScale: number;
  readonly yScale: number;
}

/**
 * The pixel geometry that every tiled container shares: levels of tiles, read as native regions or resampled ones.
 * Decoded tiles are kept in an LRU, so that adjacent reads share work.
 */
export class TiledLevels {
  readonly levels: readonly SlideLevel[];
  readonly #load: TileLoader;
  readonly #cache: TileCache;

  constructor(levels: readonly SlideLevel[], load: TileLoader, cache = new TileCache()) {
    this.levels = levels;
    this.#load = load;
    this.#cache = cache;
  }

  /** The level of that number. Throws InvalidRequest. */
  level(level: number): SlideLevel {
    const found = this.levels[level];
    if (found === undefined) throw invalidRequest(`level ${level} of ${this.levels.length}`);
    return found;
  }

  /** Throws InvalidRequest where the level has no such tile. */
  checkTile(level: number, column: number, row: number): void {
    const { columns, rows } = this.level(level);
    const inside = Number.isInteger(column) && Number.isInteger(row) && column >= 0 && row >= 0;
    if (!inside || column >= columns || row >= rows) {
      throw invalidRequest(`tile ${column}, ${row} of level ${level} (${columns} x ${rows})`);
    }
  }

  async tile(level: number, column: number, row: number): Promise<RgbImage> {
    this.checkTile(level, column, row);
    return this.#cache.get(tileKey(level, column, row), () => this.#loaded(level, column, row));
  }

  clear(): void {
    this.#cache.clear();
  }

  /** Native pixels of a level, white outside it. */
  async readLevelRegion(
    level: number,
    xPx: number,
    yPx: number,
    widthPx: number,
    heightPx: number,
    signal?: AbortSignal,
  ): Promise<RgbImage> {
    this.level(level);
    if (![xPx, yPx].every(Number.isSafeInteger)) throw invalidRequest(`region origin ${xPx}, ${yPx}`);
    checkOutput(widthPx, heightPx);
    const data = takePixels(widthPx * heightPx * 3);
    const missing = await this.#copy(level, xPx, yPx, { widthPx, heightPx, data }, signal);
    return { widthPx, heightPx, data, ...missingMark(missing) };
  }

  /** Any rectangle at any size, see SlideSource.readRegion. */
  async readRegion(request: RegionRequest, signal?: AbortSignal): Promise<RgbImage> {
    const { x0Px, y0Px, widthLevel0Px, heightLevel0Px, outWidthPx, outHeightPx } = request;
    checkOutput(outWidthPx, outHeightPx);
    const finite = [x0Px, y0Px, widthLevel0Px, heightLevel0Px].every((value) => Math.abs(value) < 1e9);
    if (!finite || widthLevel0Px <= 0 || heightLevel0Px <= 0) throw invalidRequest(JSON.stringify(request));
    const level = this.#levelFor(Math.min(widthLevel0Px / outWidthPx, heightLevel0Px / outHeightPx));
    const { xRatio, yRatio } = this.#ratios(level);
    const x = x0Px / xRatio;
    const y = y0Px / yRatio;
    const xScale = widthLevel0Px / xRatio / outWidthPx;
    const yScale = heightLevel0Px / yRatio / outHeightPx;
    if (isIdentity(x, xScale, outWidthPx) && isIdentity(y, yScale, outHeightPx)) {
      return this.readLevelRegion(level, Math.round(x), Math.round(y), outWidthPx, outHeightPx, signal);
    }
    const from = { x, y, xScale, yScale };
    const { interpolation = 'bilinear' } = request;
    const steps = Math.ceil(Math.max(xScale, yScale) / MAX_DIRECT_SCALE);
    // The nearest pixel needs no window.
    if (steps > 1 && interpolation !== 'nearest') {
      return this.#inTwoSteps(level, from, steps, outWidthPx, outHeightPx, interpolation, signal);
    }
    return this.#resample(level, from, outWidthPx, outHeightPx, interpolation, signal);
  }

  async #resample(
    level: number,
    from: LevelRegion,
    outWidthPx: number,
    outHeightPx: number,
    interpolation: Interpolation,
    signal: AbortSignal | undefined,
  ): Promise<RgbImage> {
    const xTaps = tapsOf(interpolation, outWidthPx, from.x, from.xScale);
    const yTaps = tapsOf(interpolation, outHeightPx, from.y, from.yScale);
    const data = takePixels(outWidthPx * outHeightPx * 3);
    let missing = false;
    for (const block of blocksOf(outWidthPx, outHeightPx, from.xScale, from.yScale)) {
      const xSpan = sourceSpan(xTaps, block.x, block.x + block.width);
      const ySpan = sourceSpan(yTaps, block.y, block.y + block.height);
      const widthPx = xSpan.end - xSpan.first;
      const heightPx = ySpan.end - ySpan.first;
      const source = takePixels(widthPx * heightPx * 3);
      const hole = await this.#copy(level, xSpan.first, ySpan.first, { widthPx, heightPx, data: source }, signal);
      missing ||= hole;
      const window = { xPx: xSpan.first, yPx: ySpan.first, widthPx, heightPx, data: source };
      resampleBlock(window, xTaps, yTaps, block, data, outWidthPx);
      givePixels(source);
    }
    return { widthPx: outWidthPx, heightPx: outHeightPx, data, ...missingMark(missing) };
  }

  /**
   * A strong reduction of a slide without coarse levels: a finer image first, with what its edges need from beyond them,
   * which is then reduced in memory by the same filter.
   */
  async #inTwoSteps(
    level: number,
    from: LevelRegion,
    factor: number,
    outWidthPx: number,
    outHeightPx: number,
    interpolation: Interpolation,
    signal: AbortSignal | undefined,
  ): Promise<RgbImage> {
    if (outWidthPx * outHeightPx * factor * factor > MAX_OUTPUT_PIXELS) {
      throw formatUnsupported('a size for which it would need coarser levels, and it has none');
    }
    const xTaps = tapsOf(interpolation, outWidthPx, 0, factor);
    const yTaps = tapsOf(interpolation, outHeightPx, 0, factor);
    const xSpan = sourceSpan(xTaps, 0, outWidthPx);
    const ySpan = sourceSpan(yTaps, 0, outHeightPx);
    const xScale = from.xScale / factor;
    const yScale = from.yScale / factor;
    const x = from.x + xSpan.first * xScale;
    const y = from.y + ySpan.first * yScale;
    const widthPx = xSpan.end - xSpan.first;
    const heightPx = ySpan.end - ySpan.first;
    const finer = await this.#resample(level, { x, y, xScale, yScale }, widthPx, heightPx, interpolation, signal);
    const data = new Uint8Array(outWidthPx * outHeightPx * 3);
    const window = { xPx: xSpan.first, yPx: ySpan.first, widthPx, heightPx, data: finer.data };
    resampleBlock(window, xTaps, yTaps, { x: 0, y: 0, width: outWidthPx, height: outHeightPx }, data, outWidthPx);
    givePixels(finer.data);
    return { widthPx: outWidthPx, heightPx: outHeightPx, data, ...missingMark(finer.missing === true) };
  }

  /** The coarsest level that is still at least as fine as `downsample`. */
  #levelFor(downsample: number): number {
    let best = 0;
    for (let level = 1; level < this.levels.length; level++) {
      const { xRatio, yRatio } = this.#ratios(level);
      if (Math.max(xRatio, yRatio) <= downsample * LEVEL_TOLERANCE) best = level;
    }
    return best;
  }

  /** Level-0 pixels per pixel of a level along each axis, freed from the cut to whole pixels where that is its cause. */
  #ratios(level: number): { xRatio: number; yRatio: number } {
    const finest = this.level(0);
    const { widthPx, heightPx } = this.level(level);
    return { xRatio: trueRatio(finest.widthPx, widthPx), yRatio: trueRatio(finest.heightPx, heightPx) };
  }

  /** Every pixel of a region must come from a tile: its memory is not cleared first. */
  async #loaded(level: number, column: number, row: number): Promise<RgbImage> {
    const tile = await this.#load(level, column, row);
    const { tileWidthPx, tileHeightPx } = this.level(level);
    if (tile.widthPx === tileWidthPx && tile.heightPx === tileHeightPx) return tile;
    throw slideDamaged(`tile ${column}, ${row} of level ${level} is ${tile.widthPx} x ${tile.heightPx} px`);
  }

  /** Fills `out` with the pixels whose top left is (xPx, yPx) of the level; true where some of them are missing. */
  async #copy(
    level: number,
    xPx: number,
    yPx: number,
    out: RgbImage,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { widthPx, heightPx, tileWidthPx, tileHeightPx } = this.level(level);
    const left = Math.max(xPx, 0);
    const top = Math.max(yPx, 0);
    const right = Math.min(xPx + out.widthPx, widthPx);
    const bottom = Math.min(yPx + out.heightPx, heightPx);
    if (right - left < out.widthPx || bottom - top < out.heightPx) out.data.fill(WHITE);
    if (right <= left || bottom <= top) return false;
    let missing = false;
    const wanted: { column: number; row: number }[] = [];
    for (let row = Math.floor(top / tileHeightPx); row * tileHeightPx < bottom; row++) {
      for (let column = Math.floor(left / tileWidthPx); column * tileWidthPx < right; column++) {
        wanted.push({ column, row });
      }
    }
    const place = ({ column, row }: { column: number; row: number }, tile: RgbImage): void => {
      missing ||= tile.missing === true;
      const x = column * tileWidthPx;
      const y = row * tileHeightPx;
      const fromX = Math.max(left, x);
      const length = (Math.min(right, x + tile.widthPx) - fromX) * 3;
      const toY = Math.min(bottom, y + tile.heightPx);
      for (let line = Math.max(top, y); line < toY; line++) {
        const start = ((line - y) * tile.widthPx + fromX - x) * 3;
        const at = ((line - yPx) * out.widthPx + fromX - xPx) * 3;
        out.data.set(tile.data.subarray(start, start + length), at);
      }
    };
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < wanted.length) {
        throwIfCancelled(signal);
        const spot = wanted[next++];
        if (spot === undefined) return;
        await this.#cache.use(
          tileKey(level, spot.column, spot.row),
          () => this.#loaded(level, spot.column, spot.row),
          (tile) => place(spot, tile),
        );
      }
    };
    await Promise.all(Array.from({ length: Math.min(DECODES_AT_ONCE, wanted.length) }, work));
    return missing;
  }
}

function checkOutput(widthPx: number, heightPx: number): void {
  const whole = Number.isSafeInteger(widthPx) && Number.isSafeInteger(heightPx);
  if (!whole || widthPx < 1 || heightPx < 1 || widthPx * heightPx > MAX_OUTPUT_PIXELS) {
    throw invalidRequest(`an image of ${widthPx} x ${heightPx} px`);
  }
}

function tapsOf(interpolation: Interpolation, outCount: number, origin: number, scale: number): AxisTaps {
  return interpolation === 'bilinear'
    ? axisTaps(outCount, origin, scale)
    : filterTaps(interpolation, outCount, origin, scale);
}

function isIdentity(origin: number, scale: number, count: number): boolean {
  return Math.abs(origin - Math.round(origin)) < EPSILON_PX && Math.abs(scale - 1) * count < EPSILON_PX;
}

/** `fine / coarse`, or the whole number it comes from when the coarse side was cut or rounded to whole pixels. */
function trueRatio(fine: number, coarse: number): number {
  const ratio = fine / coarse;
  for (const whole of [2 ** Math.round(Math.log2(ratio)), Math.round(ratio)]) {
    if (whole >= 1 && Math.abs(fine / whole - coarse) < 1) return whole;
  }
  return ratio;
}

function tileKey(level: number, column: number, row: number): number {
  return (level * (1 << 22) + row) * (1 << 22) + column;
}

/** Cuts the output so that each block's source window stays within the memory bound. */
function* blocksOf(width: number, height: number, xScale: number, yScale: number): Generator<OutputBlock> {
  const side = Math.sqrt(MAX_WINDOW_PIXELS);
  const fits = width * xScale * height * yScale <= MAX_WINDOW_PIXELS;
  const stepX = fits ? width : Math.max(1, Math.floor(side / xScale));
  const stepY = fits ? height : Math.max(1, Math.floor(side / yScale));
  for (let y = 0; y < height; y += stepY) {
    for (let x = 0; x < width; x += stepX) {
      yield { x, y, width: Math.min(stepX, width - x), height: Math.min(stepY, height - y) };
    }
  }
}
