import type { AppError } from '../../src-shared/errors.ts';
import type { ComparisonEntry, ComparisonRecord, ComparisonRequest } from '../../src-shared/model/comparison-record.ts';
import type { ComparisonId } from '../../src-shared/model/ids.ts';
import { engine } from './session.svelte.ts';
import { asAppError } from './toasts.svelte.ts';

/** The comparisons this store knows, newest first. */
class Comparisons {
  list = $state.raw<readonly ComparisonEntry[]>([]);
  status = $state<'loading' | 'ready' | 'failed'>('loading');
  error = $state.raw<AppError | null>(null);
  #request = 0;

  async load(): Promise<void> {
    const request = ++this.#request;
    try {
      const list = await engine.listComparisons();
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

  get(id: ComparisonId): ComparisonEntry | null {
    return this.list.find((entry) => entry.id === id) ?? null;
  }

  /** With its result. Throws NotFound. */
  read(id: ComparisonId): Promise<ComparisonRecord> {
    return engine.getComparison(id);
  }

  async start(request: ComparisonRequest): Promise<ComparisonId> {
    const { comparisonId } = await engine.startComparison(request);
    await this.load();
    return comparisonId;
  }

  async remove(id: ComparisonId): Promise<void> {
    await engine.removeComparison(id);
    await this.load();
  }
}

export const comparisons = new Comparisons();
