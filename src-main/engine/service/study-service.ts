import { randomUUID } from 'node:crypto';
import { AppError, hasCode } from '../../../src-shared/errors.ts';
import { FEATURES_ONLY } from '../../../src-shared/model/feature-bag.ts';
import { asId, type JobId, type RunId, type SlideId, type StudyId } from '../../../src-shared/model/ids.ts';
import type { Run, TissueParams } from '../../../src-shared/model/run.ts';
import type {
  SlidePrediction,
  Study,
  StudyAudit,
  StudyPlan,
  StudyProgress,
  TrainedOn,
} from '../../../src-shared/model/study.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import type { JobContext, JobQueue, JobRunner } from '../job/queue.ts';
import type { HeadSpec } from '../learn/head-spec.ts';
import type { EpochRecord } from '../learn/train-head.ts';
import { TrainingWorker } from '../learn/training-worker.ts';
import type { Store, StoredMap, StudyHeadRecord } from '../store/store.ts';
import { checkBagFacts } from '../study/check-bags.ts';
import type { SlideVector } from '../study/slide-typicality.ts';
import { listed } from '../study/splits.ts';
import { type StudyData, type StudyModel, type StudyResult, trainStudy } from '../study/train-study.ts';
import type { AnalysisService } from './analysis.ts';
import { type AttentionSpec, attentionMap } from './attention-map.ts';
import type { BackboneService } from './backbones.ts';
import { BagCache } from './bag-cache.ts';
import type { DeviceService } from './device-service.ts';
import { checkIndependent, type TrainedStudy, validateExternally } from './study-external.ts';
import { StudyHeads } from './study-heads.ts';
import { type ExtractedSlide, outcomeOf } from './study-outcome.ts';
import { auditOf, casesOf, checkedPlan, headCount, trainingPlan } from './study-plan.ts';
import { LiveProgress } from './study-progress.ts';
import { packWeights, unpackWeights } from './study-weights.ts';
import type { TissueService } from './tissue-service.ts';
import { refuseTestingOnTuned, refuseValidatingOnTuned, type TunedPast } from './tuned-leak.ts';

export interface StudyParts {
  readonly store: Store;
  readonly analysis: AnalysisService;
  readonly tissue: Pick<TissueService, 'colours'>;
  readonly backbones: Pick<BackboneService, 'get'>;
  /** What training may run on. */
  readonly device: Pick<DeviceService, 'trainingOrder'>;
  readonly onChanged: (id: StudyId) => void;
  /** Told now and then while a study is trained; how far it is says `progress`. */
  readonly onProgress: (id: StudyId) => void;
}

interface Payload {
  readonly studyId: StudyId;
  /** The study to validate on; absent = train. */
  readonly externalId?: StudyId;
}

/** Studies: slides with slide-level labels, features by one backbone, heads trained per fold and seed. */
export class StudyService {
  readonly #parts: StudyParts;
  readonly #heads: StudyHeads;
  readonly #live: LiveProgress;
  #worker: TrainingWorker | null = null;

  constructor(parts: StudyParts) {
    this.#parts = parts;
    this.#heads = new StudyHeads(
      parts.store,
      () => this.#trainer(),
      (plan) => this.#tunedPast(plan),
      (id, tissue) => this.#coloursOf(id, tissue),
    );
    this.#live = new LiveProgress(parts.onProgress);
  }

  /** Features of every slide first (stored ones are used), then training; heads that are there are not trained again. */
  readonly runner: JobRunner = {
    lane: 'inference',
    resumable: true,
    run: async (payload, context) => {
      const { studyId, externalId } = payload as Payload;
      if (externalId === undefined) await this.#run(studyId, context);
      else await this.#validate(studyId, externalId, context);
    },
  };

  /**
   * What the splits of a plan would hold. Throws InvalidRequest naming what is wrong with it: test slides that its
   * backbone was fine-tuned on, too.
   */
  async audit(plan: StudyPlan): Promise<StudyAudit> {
    const audit = auditOf(checkedPlan(plan));
    const past = await this.#tunedPast(plan);
    if (past !== null) refuseTestingOnTuned(plan, past);
    return audit;
  }

  /** Keeps the plan, nothing trained. Throws as `audit`. */
  async create(plan: StudyPlan): Promise<Study> {
    const checked = checkedPlan(plan);
    await this.audit(checked);
    const id = asId<StudyId>(randomUUID());
    const study: Study = { id, createdAtMs: Date.now(), plan: checked, outcome: null, jobId: null };
    await this.#parts.store.putStudy(study);
    this.#parts.onChanged(id);
    return study;
  }

  /**
   * Changes a study that is not trained yet; heads an interrupted training has left were of the old plan, and go.
   * @throws AppError as `create`; NotFound; InvalidRequest where it is trained or under way.
   */
  async update(id: StudyId, plan: StudyPlan, queue: JobQueue): Promise<Study> {
    const checked = checkedPlan(plan);
    await this.audit(checked);
    const study = await this.get(id);
    if (study.outcome !== null) {
      throw new AppError('InvalidRequest', 'This study is trained.', {
        advice: 'Make a new version of it: results stay with the labels they come from.',
      });
    }
    if (study.plan.fineTuning !== undefined) {
      throw new AppError('InvalidRequest', 'This study comes of a fine-tuning, and its plan with it.', {
        advice: `Fine-tune "${study.plan.fineTuning.studyName}" again with other settings.`,
      });
    }
    const job = study.jobId === null ? null : queue.get(study.jobId);
    if (job !== null && (job.state === 'queued' || job.state === 'running')) {
      throw new AppError('InvalidRequest', 'This study is being trained.', { advice: 'Stop its training first.' });
    }
    await this.#parts.store.dropStudyHeads(id);
    const changed: Study = { ...study, plan: checked, jobId: null };
    await this.#parts.store.putStudy(changed);
    this.forget(id);
    this.#parts.onChanged(id);
    return changed;
  }

  /** Queues the training of a study. Throws NotFound; InvalidRequest where it is trained or under way already. */
  async train(id: StudyId, queue: JobQueue): Promise<{ readonly studyId: StudyId; readonly jobId: JobId }> {
    const study = await this.get(id);
    if (study.outcome !== null) {
      throw new AppError('InvalidRequest', 'This study is trained.', {
        advice: 'Make a new one from it to train it otherwise: results stay with the labels they come from.',
      });
    }
    await this.audit(study.plan);
    trainingPlan(study.plan);
    const earlier = study.jobId === null ? null : queue.get(study.jobId);
    if (earlier !== null && (earlier.state === 'queued' || earlier.state === 'running')) {
      return { studyId: id, jobId: earlier.id };
    }
    if (earlier?.resumable) {
      await queue.resume(earlier.id);
      return { studyId: id, jobId: earlier.id };
    }
    const payload: Payload = { studyId: id };
    const title = `Study ${study.plan.name}`;
    const job = await queue.enqueue({ kind: 'study', title, slideId: null, runId: null, payload });
    await this.#parts.store.putStudy({ ...study, jobId: job.id });
    this.#parts.onChanged(id);
    return { studyId: id, jobId: job.id };
  }

  /** Keeps the plan and queues its training. Throws as `create`. */
  async start(plan: StudyPlan, queue: JobQueue): Promise<{ readonly studyId: StudyId; readonly jobId: JobId }> {
    return await this.train((await this.create(plan)).id, queue);
  }

  /** Queues the validation of a trained study on the slides of another. Throws InvalidRequest where they overlap. */
  async startExternal(id: StudyId, otherId: StudyId, queue: JobQueue): Promise<{ readonly jobId: JobId }> {
    const study = await this.#trained(id);
    const other = await this.get(otherId);
    await this.#checkIndependent(study, other);
    const payload: Payload = { studyId: id, externalId: otherId };
    const title = `${study.plan.name}, validated on ${other.plan.name}`;
    const job = await queue.enqueue({ kind: 'study', title, slideId: null, runId: null, payload });
    return { jobId: job.id };
  }

  /** Throws NotFound. */
  async get(id: StudyId): Promise<Study> {
    const study = await this.#parts.store.getStudy(id);
    if (study === null) throw new AppError('NotFound', 'This study no longer exists.');
    return study;
  }

  /** The curves so far: of the training under way, else of the heads that are stored. */
  async progress(id: StudyId): Promise<StudyProgress> {
    const { plan, outcome } = await this.get(id);
    const heads = headCount(plan);
    if (outcome !== null) return { curves: outcome.curves, headsDone: heads, heads };
    const stored = (await this.#parts.store.listStudyHeads(id)).map(modelOf);
    return { ...this.#live.curves(id, stored), heads };
  }

  /**
   * A map of what the heads weigh on a run of the same backbone and cut. A slide of the study is judged by the heads of
   * the folds that never saw it, any other by all. Throws InvalidRequest for an untrained study or another backbone.
   */
  async attention(spec: AttentionSpec, run: Run, laid: LaidGrid, features: Float32Array): Promise<StoredMap> {
    const study = await this.get(spec.studyId);
    return attentionMap(spec, run, laid, study, await this.#heads.judge(study, run, features));
  }

  /** What the heads say of a slide, how sure they are, and whether it is like the training slides. Throws as `attention`. */
  async predict(id: StudyId, runId: RunId): Promise<SlidePrediction> {
    const { store } = this.#parts;
    const run = await store.getRun(runId);
    if (run === null) throw new AppError('NotFound', 'This analysis no longer exists.');
    if (run.state !== 'done') {
      throw new AppError('InvalidRequest', 'This analysis is not finished yet.', { advice: 'Let it finish first.' });
    }
    return await this.#heads.predict(await this.get(id), run, await store.readFeatures(runId));
  }

  /** Trains and judges a study within another job: heads that are stored are not trained again. */
  async finish(id: StudyId, context: JobContext): Promise<void> {
    await this.#run(id, context);
  }

  /** Shows an epoch of a fine-tuning, which ends as this study. */
  showEpoch(id: StudyId, seed: number, record: EpochRecord): void {
    this.#live.add(id, 0, seed, record);
  }

  /** The training thread, shared so that trainings run one at a time. */
  get trainer(): TrainingWorker {
    return this.#trainer();
  }

  /** Lets go of what is kept in memory of a study. */
  forget(id: StudyId): void {
    this.#heads.forget(id);
    this.#live.end(id);
  }

  async close(): Promise<void> {
    await this.#worker?.close();
  }

  #trainer(): TrainingWorker {
    this.#worker ??= new TrainingWorker(() => this.#parts.device.trainingOrder());
    return this.#worker;
  }

  async #trained(id: StudyId): Promise<TrainedStudy> {
    const study = await this.get(id);
    const { outcome } = study;
    if (outcome !== null) return { ...study, outcome };
    throw new AppError('InvalidRequest', 'This study is not trained yet.', { advice: 'Train it first.' });
  }

  async #checkIndependent(study: TrainedStudy, other: Study): Promise<void> {
    checkIndependent(study, other);
    const past = await this.#tunedPast(study.plan);
    if (past !== null) refuseValidatingOnTuned(study.plan, other.plan, past);
  }

  /** What a plan's backbone was fine-tuned on; null where it was not, or is no longer here. */
  async #tunedPast({ backboneId }: StudyPlan): Promise<TunedPast | null> {
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

  async #run(id: StudyId, context: JobContext): Promise<void> {
    const { store, onChanged } = this.#parts;
    const { plan } = await this.get(id);
    const slides = await this.#featuresOf(plan, plan, context);
    try {
      const result = await this.#train(id, plan, slides, context);
      await store.putStudyVectors({ studyId: id, ...packVectors(result.vectors) });
      const study = await this.get(id);
      await store.putStudy({ ...study, outcome: outcomeOf(plan, slides, result) });
    } finally {
      this.forget(id);
    }
    onChanged(id);
  }

  /** Features of the slides of one plan, made as another plan's are. Slides that cannot be used are named together. */
  async #featuresOf(plan: StudyPlan, as: StudyPlan, context: JobContext): Promise<readonly ExtractedSlide[]> {
    const slides: ExtractedSlide[] = [];
    const refused: { readonly name: string; readonly reason: string }[] = [];
    for (const [i, row] of plan.rows.entries()) {
      const stage = `Features of slide ${i + 1} of ${plan.rows.length}`;
      try {
        const run = await this.#featuresOfSlide(row, as, {
          ...context,
          report: ({ done, total }) => context.report({ stage, done, total }),
        });
        if (context.signal.aborted) throw new AppError('Cancelled', 'The study was cancelled.');
        // Now, while its tissue mask is in memory; they are asked for later.
        await this.#coloursOf(row.slideId, as.tissue);
        slides.push({ runId: run.id, tileCount: run.tileCount, featureDim: run.provenance.featureDim });
      } catch (error) {
        if (context.signal.aborted || !(error instanceof AppError) || error.code === 'Cancelled') throw error;
        refused.push({ name: row.slideName || row.slideId, reason: error.message });
      }
    }
    if (refused.length > 0) {
      throw new AppError('InvalidRequest', `These slides cannot be used: ${listed(refused.map(({ name }) => name))}.`, {
        advice: 'Take them out of the study, or see to what is wrong with them.',
        detail: refused.map(({ name, reason }) => `${name}: ${reason}`).join('\n'),
      });
    }
    const facts = slides.map(({ tileCount, featureDim }) => ({ tiles: tileCount, dim: featureDim }));
    checkBagFacts(casesOf(plan), facts);
    return slides;
  }

  async #featuresOfSlide(row: StudyPlan['rows'][number], as: StudyPlan, context: JobContext): Promise<Run> {
    if (row.runId === null) {
      const { backboneId, cut, grid, tissue } = as;
      return await this.#parts.analysis.extractNow({ slideId: row.slideId, backboneId, cut, grid, tissue }, context);
    }
    const run = await this.#parts.store.getRun(row.runId);
    if (run === null) throw new AppError('NotFound', 'Its imported features are no longer in the store.');
    if (run.state !== 'done') throw new AppError('InvalidRequest', 'Its features are not complete.');
    return run;
  }

  async #train(
    id: StudyId,
    plan: StudyPlan,
    slides: readonly ExtractedSlide[],
    context: JobContext,
  ): Promise<StudyResult> {
    const { store } = this.#parts;
    const bags = new BagCache((index) => store.readFeatures(slides[index]?.runId ?? asId<RunId>('')));
    const featureDim = slides[0]?.featureDim ?? 0;
    const data: StudyData = {
      ...{ cases: casesOf(plan), featureDim, features: (index) => bags.get(index) },
      colours: async (index) => {
        const slideId = plan.rows[index]?.slideId;
        return slideId === undefined ? null : await this.#coloursOf(slideId, plan.tissue);
      },
    };
    const known = new Map((await store.listStudyHeads(id)).map((head) => [`${head.fold} ${head.seed}`, head]));
    const epochs = headCount(plan) * plan.epochs;
    let done = 0;
    const report = (): void => context.report({ stage: 'Training', done, total: epochs });
    context.report({ stage: 'Looking at the features', done: 0, total: 0 });
    return await trainStudy(data, trainingPlan(plan), this.#trainer(), {
      signal: context.signal,
      known: (fold, seed) => {
        const head = known.get(`${fold} ${seed}`);
        return head === undefined ? null : modelOf(head);
      },
      onChecked: report,
      onEpoch: (fold, seed, record) => {
        done++;
        this.#live.add(id, fold, seed, record);
        report();
      },
      onModel: async (model, models) => {
        done = models * plan.epochs;
        report();
        if (!known.has(`${model.fold} ${model.seed}`)) await this.#keep(id, model);
      },
    });
  }

  /** Colours of a slide's tissue; null where it is known by its features alone, or cannot be read now. */
  async #coloursOf(id: SlideId, tissue: TissueParams): Promise<Float64Array | null> {
    const slide = await this.#parts.store.getSlide(id);
    if (slide === null || slide.info.reader === FEATURES_ONLY) return null;
    try {
      return await this.#parts.tissue.colours(id, tissue);
    } catch (error) {
      // Its features are what the study stands on; without its pixels it is compared by them alone, and that is said.
      if (error instanceof AppError && error.code !== 'Cancelled') return null;
      throw error;
    }
  }

  async #validate(id: StudyId, otherId: StudyId, context: JobContext): Promise<void> {
    const { store, onChanged } = this.#parts;
    const study = await this.#trained(id);
    const other = await this.get(otherId);
    await this.#checkIndependent(study, other);
    const slides = await this.#featuresOf(other.plan, study.plan, context);
    const total = slides.length;
    const validation = await validateExternally(
      study,
      other,
      this.#heads,
      async (index) => {
        if (context.signal.aborted) throw new AppError('Cancelled', 'The validation was cancelled.');
        const slide = slides[index];
        const run = slide === undefined ? null : await store.getRun(slide.runId);
        if (slide === undefined || run === null) throw new AppError('NotFound', 'The features of a slide are gone.');
        return { slide, run, features: await store.readFeatures(run.id) };
      },
      (done) => context.report({ stage: 'Judging slides', done, total }),
    );
    const now = await this.#trained(id);
    const kept = now.outcome.external.filter(({ studyId }) => studyId !== otherId);
    await store.putStudy({ ...now, outcome: { ...now.outcome, external: [...kept, validation] } });
    onChanged(id);
  }

  async #keep(
    studyId: StudyId,
    { fold, seed, spec, weights, bestEpoch, history, trainedOn }: StudyModel,
  ): Promise<void> {
    await this.#parts.store.putStudyHead({
      ...{ studyId, fold, seed, bestEpoch },
      specJson: JSON.stringify(spec),
      historyJson: JSON.stringify(history),
      trainedOnJson: trainedOn === undefined ? null : JSON.stringify(trainedOn),
      weights: packWeights(weights),
    });
  }
}

/** A stored head as the trainer made it. */
function modelOf(head: StudyHeadRecord): StudyModel {
  const { fold, seed, bestEpoch, weights, trainedOnJson } = head;
  const spec = JSON.parse(head.specJson) as HeadSpec;
  const history = JSON.parse(head.historyJson) as readonly EpochRecord[];
  const trainedOn = trainedOnJson === null ? {} : { trainedOn: JSON.parse(trainedOnJson) as TrainedOn };
  return { fold, seed, spec, weights: unpackWeights(spec, weights), bestEpoch, history, ...trainedOn };
}

function packVectors(vectors: readonly SlideVector[]): { readonly dim: number; readonly vectors: Float32Array } {
  const dim = vectors[0]?.length ?? 0;
  const packed = new Float32Array(vectors.length * dim);
  vectors.forEach((vector, i) => {
    packed.set(vector, i * dim);
  });
  return { dim, vectors: packed };
}
