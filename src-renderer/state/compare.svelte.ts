import type { ComparisonEntry, ComparisonRecord, ComparisonRequest } from '../../src-shared/model/comparison-record.ts';
import type { ComparisonId } from '../../src-shared/model/ids.ts';
import { KeptRecords } from './kept-records.svelte.ts';
import { engine } from './session.svelte.ts';

/** The comparisons this store knows, newest first. */
class Comparisons extends KeptRecords<ComparisonId, ComparisonEntry> {
  constructor() {
    super(() => engine.listComparisons());
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
