import type { RgbImage } from './slide-source.ts';

/** Default budget per open slide: about 180 decoded tiles of 240 px. */
export const TILE_CACHE_BYTES = 32 * 1024 * 1024;

/** Least-recently-used decoded tiles, bounded by bytes. Callers that ask for the same tile at once share one decode. */
export class TileCache {
  readonly #budgetBytes: number;
  readonly #tiles = new Map<number, RgbImage>();
  readonly #loading = new Map<number, Promise<RgbImage>>();
  #usedBytes = 0;

  constructor(budgetBytes = TILE_CACHE_BYTES) {
    this.#budgetBytes = budgetBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The tile if it is at hand, without waiting. */
  peek(key: number): RgbImage | null {
    const tile = this.#tiles.get(key);
    if (tile === undefined) return null;
    this.#tiles.delete(key);
    this.#tiles.set(key, tile);
    return tile;
  }

  async get(key: number, load: () => Promise<RgbImage>): Promise<RgbImage> {
    const tile = this.peek(key);
    if (tile !== null) return tile;
    const running = this.#loading.get(key);
    if (running !== undefined) return running;
    const loading = load();
    this.#loading.set(key, loading);
    try {
      const loaded = await loading;
      this.#keep(key, loaded);
      return loaded;
    } finally {
      this.#loading.delete(key);
    }
  }

  clear(): void {
    this.#tiles.clear();
    this.#usedBytes = 0;
  }

  #keep(key: number, tile: RgbImage): void {
    if (tile.data.length > this.#budgetBytes) return;
    this.#tiles.set(key, tile);
    this.#usedBytes += tile.data.length;
    for (const [oldKey, old] of this.#tiles) {
      if (this.#usedBytes <= this.#budgetBytes) break;
      this.#tiles.delete(oldKey);
      this.#usedBytes -= old.data.length;
    }
  }
}
