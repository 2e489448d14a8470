import { AppError, hasCode } from '../../../src-shared/errors.ts';
import type { AttentionSpec } from '../../../src-shared/model/attention-view.ts';
import { FEATURES_ONLY } from '../../../src-shared/model/feature-bag.ts';
import type { RunId, StudyId } from '../../../src-shared/model/ids.ts';
import type { Run } from '../../../src-shared/model/run.ts';
import type {
  AskedSlide,
  ExternalValidation,
  SlidePrediction,
  Study,
  StudyPlan,
} from '../../../src-shared/model/study.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import type { JobContext } from '../job/queue.ts';
import { AttentionWorker } from '../learn/attention-worker.ts';
import type { Store, StoredMap } from '../store/store.ts';
import { attentionMap } from './attention-map.ts';
import type { BackboneService } from './backbones.ts';
import { checkIndependent, type TrainedStudy, validateExternally } from './study-external.ts';
import type { StudyFeatures } from './study-features.ts';
import { type FeatureReader, StudyHeads } from './study-heads.ts';
import { refuseValidatingOnTuned, type TunedPast } from './tuned-leak.ts';

export interface PredictionParts {
  readonly store: Store;
  readonly backbones: Pick<BackboneService, 'get'>;
  readonly features: StudyFeatures;
  /** Threads that heads run forward on; 0 = all cores. */
  readonly threads: number;
}

/** Slides that are listed: each is compared with the training slides by its pixels, which takes its tissue mask. */
const MOST_ASKED = 50;

/** What the locked heads of a trained study say: of a slide, of its tiles, of the slides of another study. */
export class StudyPrediction {
  readonly #parts: PredictionParts;
  readonly #worker: AttentionWorker;
  readonly #heads: StudyHeads;

  constructor(parts: PredictionParts) {
    this.#parts = parts;
    this.#worker = new AttentionWorker(parts.threads);
    this.#heads = new StudyHeads(
      parts.store,
      this.#worker,
      (plan) => this.tunedPast(plan),
      (id, tissue) => parts.features.appearanceOf(id, tissue),
    );
  }

  /**
   * A map of what the heads weigh on a run of the same backbone and cut. A slide of the study is judged by the heads of
   * the folds that never saw it, any other by all. Throws InvalidRequest for an untrained study or another backbone.
   */
  async attention(
    study: Study,
    spec: AttentionSpec,
    run: Run,
    laid: LaidGrid,
    features: FeatureReader,
  ): Promise<StoredMap> {
    return attentionMap(spec, run, laid, study, await this.#heads.judge(study, run, features));
  }

  /** That map once more than `heads` heads are in it: the first within about a second. Throws as `attention`; Cancelled. */
  async attentionSoFar(
    study: Study,
    spec: AttentionSpec,
    run: Run,
    laid: LaidGrid,
    features: FeatureReader,
    heads: number,
  ): Promise<StoredMap> {
    return attentionMap(spec, run, laid, study, await this.#heads.soFar(study, run, features, heads));
  }

  /** That map with just so many heads, which was described a moment ago; null where it is gone. */
  earlierAttention(study: Study, spec: AttentionSpec, run: Run, laid: LaidGrid, heads: number): StoredMap | null {
    const judgement = this.#heads.earlier(study, run, heads);
    return judgement === null ? null : attentionMap(spec, run, laid, study, judgement);
  }

  /** Somebody no longer watches the heads of a study judge a run. */
  leave(study: Study, run: Run): void {
    this.#heads.leave(study, run);
  }

  /** What the heads say of a slide, how sure they are, and whether it is like the training slides. Throws as `attention`. */
  async predict(study: Study, runId: RunId): Promise<SlidePrediction> {
    const { store } = this.#parts;
    const run = await store.getRun(runId);
    if (run === null) throw new AppError('NotFound', 'This analysis no longer exists.');
    if (run.state !== 'done') {
      throw new AppError('InvalidRequest', 'This analysis is not finished yet.', { advice: 'Let it finish first.' });
    }
    return await this.#heads.predict(study, run, () => store.readFeatures(runId));
  }

  /** Slides that are not of the study and that its heads have judged; each as `predict` says now. */
  async asked(study: Study): Promise<readonly AskedSlide[]> {
    const { store } = this.#parts;
    const { plan, outcome } = study;
    if (outcome === null) return [];
    const judged = [...plan.rows, ...outcome.external.flatMap(({ predictions }) => predictions)];
    const known = new Set(judged.map(({ slideId }) => slideId));
    const asked: AskedSlide[] = [];
    for (const runId of await store.listJudgedRuns(study.id)) {
      const run = await store.getRun(runId);
      if (run === null || run.state !== 'done' || known.has(run.slideId)) continue;
      const slide = await store.getSlide(run.slideId);
      if (slide === null) continue;
      const prediction = await this.#heads.predict(study, run, () => store.readFeatures(runId));
      const hasSlide = slide.info.reader !== FEATURES_ONLY;
      const features = { slideId: slide.id, runId, tiles: run.tileCount, hasSlide };
      asked.push({ name: slide.name, features, prediction });
      if (asked.length === MOST_ASKED) break;
    }
    return asked;
  }

  /** Refuses to validate a study on another that shares slides or patients with it, or with what its backbone learned. */
  async checkIndependent(study: TrainedStudy, other: Study): Promise<void> {
    checkIndependent(study, other);
    const past = await this.tunedPast(study.plan);
    if (past !== null) refuseValidatingOnTuned(study.plan, other.plan, past);
  }

  /** Judges the slides of another study by the locked heads of this one. Throws as `checkIndependent`; Cancelled. */
  async validate(study: TrainedStudy, other: Study, context: JobContext): Promise<ExternalValidation> {
    const { store, features } = this.#parts;
    await this.checkIndependent(study, other);
    const slides = await features.of(other.plan, study.plan, context);
    const total = slides.length;
    return await validateExternally(
      study,
      other,
      this.#heads,
      async (index) => {
        if (context.signal.aborted) throw new AppError('Cancelled', 'The validation was cancelled.');
        const slide = slides[index];
        const run = slide === undefined ? null : await store.getRun(slide.runId);
        if (slide === undefined || run === null) throw new AppError('NotFound', 'The features of a slide are gone.');
        return { slide, run, features: () => store.readFeatures(run.id) };
      },
      (done) => context.report({ stage: 'Judging slides', done, total, unit: 'slides' }),
    );
  }

  /** What a plan's backbone was fine-tuned on; null where it was not, or is no longer here. */
  async tunedPast({ backboneId }: StudyPlan): Promise<TunedPast | null> {
    const { store, backbones } = this.#parts;
    const tuned = await backbones.get(backboneId).then(
      (card) => card.tuned ?? null,
      (error) => {
        if (hasCode(error, 'NotFound')) return null;
        throw error;
      },
    );
    if (tuned === null) return null;
    const from = (await store.getStudy(tuned.studyId))?.plan;
    return { tuned, rows: from === undefined || from.patientsUnknown ? [] : from.rows };
  }

  /** Lets go of what is kept in memory of a study. */
  forget(id: StudyId): void {
    this.#heads.forget(id);
  }

  async close(): Promise<void> {
    await this.#worker.close();
  }
}
