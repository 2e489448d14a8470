import { givePixels } from '../codec/pixel-pool.ts';
import type { RgbImage } from './slide-source.ts';

/** Default budget per open slide and thread: about 180 decoded tiles of 240 px. */
export const TILE_CACHE_BYTES = 32 * 1024 * 1024;

/** A tile and who still has to look at it. */
interface Entry {
  readonly tile: RgbImage;
  /** Callers whose turn comes after the load they waited for. */
  waiting: number;
  /** Handed out for good: its memory belongs to whoever has it. */
  handedOut: boolean;
  kept: boolean;
}

interface Loading {
  readonly entry: Promise<Entry>;
  waiting: number;
}

/**
 * Least-recently-used decoded tiles, bounded by bytes. Callers that ask for the same tile at once share one decode. The
 * memory of tiles that were only looked at is used again when they leave.
 */
export class TileCache {
  readonly #budgetBytes: number;
  readonly #tiles = new Map<number, Entry>();
  readonly #loading = new Map<number, Loading>();
  #usedBytes = 0;

  constructor(budgetBytes = TILE_CACHE_BYTES) {
    this.#budgetBytes = budgetBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Shows the tile to `look`, which must not keep it: at once and without a promise where it is at hand. */
  use(key: number, load: () => Promise<RgbImage>, look: (tile: RgbImage) => void): Promise<void> | undefined {
    const known = this.#touch(key);
    if (known === null) return this.#afterLoad(key, load, ({ tile }) => look(tile));
    look(known.tile);
    return undefined;
  }

  /** The tile, to keep. */
  async get(key: number, load: () => Promise<RgbImage>): Promise<RgbImage> {
    const give = (entry: Entry): RgbImage => {
      entry.handedOut = true;
      return entry.tile;
    };
    const known = this.#touch(key);
    return known === null ? this.#afterLoad(key, load, give) : give(known);
  }

  clear(): void {
    for (const key of [...this.#tiles.keys()]) this.#drop(key);
  }

  async #afterLoad<T>(key: number, load: () => Promise<RgbImage>, look: (entry: Entry) => T): Promise<T> {
    const loading = this.#loading.get(key) ?? this.#start(key, load);
    loading.waiting++;
    const entry = await loading.entry;
    try {
      return look(entry);
    } finally {
      entry.waiting--;
      recycle(entry);
    }
  }

  #start(key: number, load: () => Promise<RgbImage>): Loading {
    const loaded = async (): Promise<Entry> => {
      try {
        const tile = await load();
        const entry: Entry = { tile, waiting: loading.waiting, handedOut: false, kept: false };
        this.#keep(key, entry);
        return entry;
      } finally {
        this.#loading.delete(key);
      }
    };
    const loading: Loading = { entry: Promise.resolve().then(loaded), waiting: 0 };
    this.#loading.set(key, loading);
    return loading;
  }

  #touch(key: number): Entry | null {
    const entry = this.#tiles.get(key);
    if (entry === undefined) return null;
    this.#tiles.delete(key);
    this.#tiles.set(key, entry);
    return entry;
  }

  #keep(key: number, entry: Entry): void {
    if (entry.tile.data.length > this.#budgetBytes) return;
    entry.kept = true;
    this.#tiles.set(key, entry);
    this.#usedBytes += entry.tile.data.length;
    for (const oldKey of this.#tiles.keys()) {
      if (this.#usedBytes <= this.#budgetBytes) break;
      this.#drop(oldKey);
    }
  }

  #drop(key: number): void {
    const entry = this.#tiles.get(key);
    if (entry === undefined) return;
    this.#tiles.delete(key);
    this.#usedBytes -= entry.tile.data.length;
    entry.kept = false;
    recycle(entry);
  }
}

function recycle(entry: Entry): void {
  if (entry.kept || entry.handedOut || entry.waiting > 0) return;
  // Once only: the buffer may be in use again when another waiter comes here.
  entry.handedOut = true;
  givePixels(entry.tile.data);
}
