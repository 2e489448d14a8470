import { AppError } from '../../../src-shared/errors.ts';
import { FEATURES_ONLY } from '../../../src-shared/model/feature-bag.ts';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import type { Run, TissueParams } from '../../../src-shared/model/run.ts';
import type { StudyPlan } from '../../../src-shared/model/study.ts';
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
  readonly analysis: Pick<AnalysisService, 'extractNow'>;
  readonly tissue: Pick<TissueService, 'appearance'>;
}

/** What a study is computed from: features and appearance of its slides. */
export class StudyFeatures {
  readonly #parts: StudyFeatureParts;

  constructor(parts: StudyFeatureParts) {
    this.#parts = parts;
  }

  /**
   * Features of the slides of one plan, made as another plan's are; stored ones are used.
   * @throws AppError InvalidRequest naming all slides that cannot be used; Cancelled.
   */
  async of(plan: StudyPlan, as: StudyPlan, context: JobContext): Promise<readonly ExtractedSlide[]> {
    const slides: ExtractedSlide[] = [];
    const refused: RefusedSlide[] = [];
    for (const [i, row] of plan.rows.entries()) {
      const stage = `Features of slide ${i + 1} of ${plan.rows.length}`;
      try {
        const run = await this.#ofSlide(row, as, {
          ...context,
          report: ({ done, total }) => context.report({ stage, done, total }),
        });
        if (context.signal.aborted) throw new AppError('Cancelled', 'The study was cancelled.');
        // Now, while its tissue mask is in memory; they are asked for later.
        await this.appearanceOf(row.slideId, as.tissue);
        slides.push({ runId: run.id, tileCount: run.tileCount, featureDim: run.provenance.featureDim });
      } catch (error) {
        if (context.signal.aborted || !(error instanceof AppError) || error.code === 'Cancelled') throw error;
        refused.push({ name: row.slideName || row.slideId, reason: error.message });
      }
    }
    if (refused.length > 0) {
      const advice = 'Take them out of the study, or see to what is wrong with them.';
      throw slidesRefused('These slides cannot be used', refused, advice);
    }
    const facts = slides.map(({ tileCount, featureDim }) => ({ tiles: tileCount, dim: featureDim }));
    checkBagFacts(casesOf(plan), facts);
    return slides;
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

  async #ofSlide(row: StudyPlan['rows'][number], as: StudyPlan, context: JobContext): Promise<Run> {
    if (row.runId === null) {
      const { backboneId, cut, grid, tissue } = as;
      return await this.#parts.analysis.extractNow({ slideId: row.slideId, backboneId, cut, grid, tissue }, context);
    }
    const run = await this.#parts.store.getRun(row.runId);
    if (run === null) throw new AppError('NotFound', 'Its imported features are no longer in the store.');
    if (run.state !== 'done') throw new AppError('InvalidRequest', 'Its features are not complete.');
    return run;
  }
}
