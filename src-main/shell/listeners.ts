/** A set of listeners of one kind of event. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>();

  /** @returns how to remove the listener */
  add(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(value: T): void {
    for (const listener of [...this.#listeners]) listener(value);
  }
}
