/** Bytes kept while something is trained: every epoch reads every bag again. */
const MOST_BYTES = 512 * 1024 * 1024;

/** Bags of a study, features or pixels, as they are read over and over, the least recently used let go first. */
export class BagCache<T extends { readonly byteLength: number }> {
  readonly #read: (index: number) => Promise<T>;
  readonly #mostBytes: number;
  readonly #bags = new Map<number, T>();
  #bytes = 0;

  constructor(read: (index: number) => Promise<T>, mostBytes = MOST_BYTES) {
    this.#read = read;
    this.#mostBytes = mostBytes;
  }

  async get(index: number): Promise<T> {
    const known = this.#bags.get(index);
    if (known !== undefined) {
      this.#bags.delete(index);
      this.#bags.set(index, known);
      return known;
    }
    const bag = await this.#read(index);
    if (bag.byteLength > this.#mostBytes || this.#bags.has(index)) return bag;
    this.#bags.set(index, bag);
    this.#bytes += bag.byteLength;
    for (const [oldest, { byteLength }] of this.#bags) {
      if (this.#bytes <= this.#mostBytes) break;
      this.#bags.delete(oldest);
      this.#bytes -= byteLength;
    }
    return bag;
  }
}
