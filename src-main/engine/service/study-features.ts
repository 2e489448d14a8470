import { AppError } from '../../../src-shared/errors.ts';
import { FEATURES_ONLY } from '../../../src-shared/model/feature-bag.ts';
import type { GridId, RunId, SlideId } from '../../../src-shared/model/ids.ts';
import type { Run, TissueParams } from '../../../src-shared/model/run.ts';
import type { StudyPlan, StudyRow } from '../../../src-shared/model/study.ts';
import type { JobContext } from '../job/queue.ts';
import type { Store } from '../store/store.ts';
import { checkBagFacts } from '../study/check-bags.ts';
import type { AnalysisService } from './analysis.ts';
import { type RefusedSlide, slidesRefused } from './refused-slides.ts';
import type { ExtractedSlide } from './study-outcome.ts';
import { casesOf } from './study-plan.ts';
import type { TissueService } from './tissue-service.ts';

export interface StudyFeatureParts {
  readonly store: Store;
  readonly analysis: Pick<AnalysisService, 'extractNow' | 'layTiles'>;
  readonly tissue: Pick<TissueService, 'appearance'>;
}

/** What a study is computed from: features and appearance of its slides. */
export class StudyFeatures {
  readonly #parts: StudyFeatureParts;

  constructor(parts: StudyFeatureParts) {
    this.#parts = parts;
  }

  /**
   * Features of the slides of one plan, made as another plan's are; stored ones are used. What can be told of a slide in
   * seconds is looked at first, so that a file that is gone or a slide without tissue is named before hours of work.
   * @throws AppError InvalidRequest naming all slides that cannot be used; Cancelled.
   */
  async of(plan: StudyPlan, as: StudyPlan, context: JobContext): Promise<readonly ExtractedSlide[]> {
    const { rows } = plan;
    const ready = await eachSlide(rows, context, async (row, i) => {
      context.report({ stage: 'Looking at the tissue', done: i, total: rows.length, unit: 'slides' });
      const found = row.runId === null ? await this.#layTiles(row.slideId, as) : await this.#imported(row.runId);
      // Now, while its tissue mask is in memory; they are asked for later.
      await this.appearanceOf(row.slideId, as.tissue);
      return found;
    });
    checkLengths(
      plan,
      ready.map((found) => (typeof found === 'string' ? null : found)),
    );
    const runs = await eachSlide(rows, context, async ({ slideId }, i) => {
      const found = ready[i];
      if (found !== undefined && typeof found !== 'string') return found;
      const stage = `Features of slide ${i + 1} of ${rows.length}`;
      const report: JobContext['report'] = (progress) => context.report({ ...progress, stage });
      const { backboneId, cut, grid, tissue } = as;
      const request = { slideId, backboneId, cut, grid, tissue };
      return await this.#parts.analysis.extractNow(request, { ...context, report }, found);
    });
    checkLengths(plan, runs);
    return runs.map(({ id, tileCount, provenance }) => ({ runId: id, tileCount, featureDim: provenance.featureDim }));
  }

  /** What a slide's pixels look like; null where it is known by its features alone, or cannot be read now. */
  async appearanceOf(id: SlideId, tissue: TissueParams): Promise<Float64Array | null> {
    const slide = await this.#parts.store.getSlide(id);
    if (slide === null || slide.info.reader === FEATURES_ONLY) return null;
    try {
      return await this.#parts.tissue.appearance(id, tissue);
    } catch (error) {
      // Its features are what the study stands on; without its pixels it is compared by them alone, and that is said.
      if (error instanceof AppError && error.code !== 'Cancelled') return null;
      throw error;
    }
  }

  async #layTiles(slideId: SlideId, { grid, tissue }: StudyPlan): Promise<GridId> {
    return await this.#parts.analysis.layTiles({ slideId, grid, tissue });
  }

  async #imported(id: RunId): Promise<Run> {
    const run = await this.#parts.store.getRun(id);
    if (run === null) throw new AppError('NotFound', 'Its imported features are no longer in the store.');
    if (run.state !== 'done') throw new AppError('InvalidRequest', 'Its features are not complete.');
    return run;
  }
}

/** The same work for every slide; all that cannot be used are named at its end. @throws AppError InvalidRequest, Cancelled */
async function eachSlide<T>(
  rows: readonly StudyRow[],
  { signal }: Pick<JobContext, 'signal'>,
  work: (row: StudyRow, index: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  const refused: RefusedSlide[] = [];
  for (const [i, row] of rows.entries()) {
    if (signal.aborted) throw new AppError('Cancelled', 'The study was cancelled.');
    try {
      results.push(await work(row, i));
    } catch (error) {
      if (signal.aborted || !(error instanceof AppError) || error.code === 'Cancelled') throw error;
      refused.push({ name: row.slideName || row.slideId, reason: error.message });
    }
  }
  if (signal.aborted) throw new AppError('Cancelled', 'The study was cancelled.');
  if (refused.length === 0) return results;
  const advice = 'Take them out of the study, or see to what is wrong with them.';
  throw slidesRefused('These slides cannot be used', refused, advice);
}

/** Refuses features of different length among the runs that are there. */
function checkLengths(plan: StudyPlan, runs: readonly (Run | null)[]): void {
  const cases = casesOf(plan).filter((_, i) => runs[i] !== null);
  const facts = runs.flatMap((run) => (run === null ? [] : [{ tiles: run.tileCount, dim: run.provenance.featureDim }]));
  checkBagFacts(cases, facts);
}
