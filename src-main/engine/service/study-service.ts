import { randomUUID } from 'node:crypto';
import { AppError } from '../../../src-shared/errors.ts';
import { asId, type JobId, type RunId, type StudyId } from '../../../src-shared/model/ids.ts';
import type {
  AskedSlide,
  SlidePrediction,
  Study,
  StudyAudit,
  StudyPlan,
  StudyProgress,
} from '../../../src-shared/model/study.ts';
import type { JobContext, JobQueue, JobRunner } from '../job/queue.ts';
import type { EpochRecord } from '../learn/train-head.ts';
import type { ProbeStep } from '../learn/training-devices.ts';
import { TrainingWorker } from '../learn/training-worker.ts';
import type { Store } from '../store/store.ts';
import type { AnalysisService } from './analysis.ts';
import type { AttentionSource } from './attention-map.ts';
import type { BackboneService } from './backbones.ts';
import type { DeviceService } from './device-service.ts';
import type { TrainedStudy } from './study-external.ts';
import { StudyFeatures } from './study-features.ts';
import { outcomeOf } from './study-outcome.ts';
import { auditOf, checkedPlan, headCount, trainingPlan } from './study-plan.ts';
import { StudyPrediction } from './study-prediction.ts';
import { LiveProgress } from './study-progress.ts';
import { modelOf, trainHeads } from './study-training.ts';
import type { TissueService } from './tissue-service.ts';
import { refuseTestingOnTuned } from './tuned-leak.ts';

export interface StudyParts {
  readonly store: Store;
  readonly analysis: AnalysisService;
  readonly tissue: Pick<TissueService, 'appearance'>;
  readonly backbones: Pick<BackboneService, 'get'>;
  /** Threads that heads run forward on; 0 = all cores. */
  readonly threads: number;
  /** What training may run on. */
  readonly device: Pick<DeviceService, 'trainingOrder'>;
  /** Tries a training step on a device, where the host has another way than a child process. */
  readonly probeStep?: ProbeStep | undefined;
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
  readonly #features: StudyFeatures;
  readonly #prediction: StudyPrediction;
  readonly #live: LiveProgress;
  #worker: TrainingWorker | null = null;

  constructor(parts: StudyParts) {
    this.#parts = parts;
    this.#features = new StudyFeatures(parts);
    this.#prediction = new StudyPrediction({ ...parts, features: this.#features });
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
    const past = await this.#prediction.tunedPast(plan);
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
    await this.#prediction.checkIndependent(study, other);
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

  /** Maps of what studies' heads weigh on a slide. They throw as `StudyPrediction.attention`; NotFound. */
  readonly attention: AttentionSource = {
    whole: async (spec, run, laid, features) =>
      await this.#prediction.attention(await this.get(spec.studyId), spec, run, laid, features),
    soFar: async (spec, run, laid, features, heads) =>
      await this.#prediction.attentionSoFar(await this.get(spec.studyId), spec, run, laid, features, heads),
    earlier: async (spec, run, laid, heads) =>
      this.#prediction.earlierAttention(await this.get(spec.studyId), spec, run, laid, heads),
    leave: async (studyId, run) => this.#prediction.leave(await this.get(studyId), run),
  };

  /** What a study's heads say of a slide. Throws as `StudyPrediction.predict`; NotFound. */
  async predict(id: StudyId, runId: RunId): Promise<SlidePrediction> {
    return await this.#prediction.predict(await this.get(id), runId);
  }

  /** See EngineApi.listAskedSlides. Throws NotFound. */
  async askedSlides(id: StudyId): Promise<readonly AskedSlide[]> {
    return await this.#prediction.asked(await this.get(id));
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
    this.#worker ??= new TrainingWorker(() => this.#parts.device.trainingOrder(), this.#parts.probeStep);
    return this.#worker;
  }

  /** Lets go of what is kept in memory of a study. */
  forget(id: StudyId): void {
    this.#prediction.forget(id);
    this.#live.end(id);
  }

  async close(): Promise<void> {
    await this.#prediction.close();
    await this.#worker?.close();
  }

  async #trained(id: StudyId): Promise<TrainedStudy> {
    const study = await this.get(id);
    const { outcome } = study;
    if (outcome !== null) return { ...study, outcome };
    throw new AppError('InvalidRequest', 'This study is not trained yet.', { advice: 'Train it first.' });
  }

  async #run(id: StudyId, context: JobContext): Promise<void> {
    const { store, onChanged } = this.#parts;
    const { plan } = await this.get(id);
    const slides = await this.#features.of(plan, plan, context);
    const parts = { store, features: this.#features, trainer: this.trainer };
    const onEpoch = (fold: number, seed: number, record: EpochRecord): void => this.#live.add(id, fold, seed, record);
    try {
      const result = await trainHeads({ ...parts, onEpoch }, id, plan, slides, context);
      await store.putStudy({ ...(await this.get(id)), outcome: outcomeOf(plan, slides, result) });
    } finally {
      this.forget(id);
    }
    onChanged(id);
  }

  async #validate(id: StudyId, otherId: StudyId, context: JobContext): Promise<void> {
    const { store, onChanged } = this.#parts;
    const validation = await this.#prediction.validate(await this.#trained(id), await this.get(otherId), context);
    const now = await this.#trained(id);
    const kept = now.outcome.external.filter(({ studyId }) => studyId !== otherId);
    await store.putStudy({ ...now, outcome: { ...now.outcome, external: [...kept, validation] } });
    onChanged(id);
  }
}
