import type { AppError } from '../../src-shared/errors.ts';
import { asAppError } from './toasts.svelte.ts';

/** What a store keeps of one kind, newest first: studies, comparisons. */
export class KeptRecords<Id extends string, T extends { readonly id: Id }> {
  list = $state.raw<readonly T[]>([]);
  status = $state<'loading' | 'ready' | 'failed'>('loading');
  error = $state.raw<AppError | null>(null);
  readonly #fetch: () => Promise<readonly T[]>;
  #request = 0;

  constructor(fetch: () => Promise<readonly T[]>) {
    this.#fetch = fetch;
  }

  /** Of several that are under way the last one counts; what is shown stays where one fails. */
  async load(): Promise<void> {
    const request = ++this.#request;
    try {
      const list = await this.#fetch();
      if (request !== this.#request) return;
      this.list = list;
      this.status = 'ready';
      this.error = null;
    } catch (error) {
      if (request !== this.#request) return;
      this.error = asAppError(error);
      if (this.list.length === 0) this.status = 'failed';
    }
  }

  get(id: Id): T | null {
    return this.list.find((record) => record.id === id) ?? null;
  }
}
