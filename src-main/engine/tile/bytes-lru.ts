/** Encoded images kept in memory, least recently used out first, within a budget in bytes. */
export class BytesLru<T extends { readonly bytes: Uint8Array }> {
  readonly budgetBytes: number;
  readonly #entries = new Map<string, T>();
  #usedBytes = 0;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  set(key: string, entry: T): void {
    this.delete(key);
    if (entry.bytes.byteLength > this.budgetBytes) return;
    this.#entries.set(key, entry);
    this.#usedBytes += entry.bytes.byteLength;
    for (const oldest of this.#entries.keys()) {
      if (this.#usedBytes <= this.budgetBytes) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#usedBytes -= entry.bytes.byteLength;
  }

  /** Drops every entry whose key begins with the prefix. */
  deletePrefix(prefix: string): void {
    for (const key of [...this.#entries.keys()]) if (key.startsWith(prefix)) this.delete(key);
  }
}
