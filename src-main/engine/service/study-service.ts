import { randomUUID } from 'node:crypto';
import { AppError } from '../../../src-shared/errors.ts';
import { asId, type JobId, type RunId, type StudyId } from '../../../src-shared/model/ids.ts';
import type { Run } from '../../../src-shared/model/run.ts';
import type { Study, StudyFigure, StudyOutcome, StudyPartAudit, StudyPlan } from '../../../src-shared/model/study.ts';
import { ADAM } from '../graph/optimise/optimiser.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import type { JobContext, JobQueue, JobRunner } from '../job/queue.ts';
import type { BagPrediction } from '../learn/evaluate-head.ts';
import type { HeadSpec } from '../learn/head-spec.ts';
import { TrainingWorker } from '../learn/training-worker.ts';
import type { Store, StoredMap } from '../store/store.ts';
import type { PartAudit, StudyCase } from '../study/splits.ts';
import type { FigureWithInterval } from '../study/study-figures.ts';
import {
  type StudyData,
  type StudyModel,
  type StudyResult,
  type StudyPlan as TrainingPlan,
  trainStudy,
} from '../study/train-study.ts';
import type { AnalysisService } from './analysis.ts';
import { type AttentionSpec, attentionMap } from './attention-map.ts';
import { packWeights, unpackWeights } from './study-weights.ts';
import { versions } from './versions.ts';

export interface StudyParts {
  readonly store: Store;
  readonly analysis: AnalysisService;
  readonly onChanged: (id: StudyId) => void;
}

/** Studies: slides with slide-level labels, features by one backbone, heads trained per fold and seed. */
export class StudyService {
  readonly #parts: StudyParts;
  #worker: TrainingWorker | null = null;

  constructor(parts: StudyParts) {
    this.#parts = parts;
  }

  /** Features of every slide first (stored ones are used), then training; a new attempt trains anew. */
  readonly runner: JobRunner = {
    lane: 'inference',
    resumable: true,
    run: (payload, context) => this.#run((payload as { readonly studyId: StudyId }).studyId, context),
  };

  /** Keeps the plan and queues its training. Throws InvalidRequest naming what is wrong with it. */
  async start(plan: StudyPlan, queue: JobQueue): Promise<{ readonly studyId: StudyId; readonly jobId: JobId }> {
    const checked = checkedPlan(plan);
    const id = asId<StudyId>(randomUUID());
    const study: Study = { id, createdAtMs: Date.now(), plan: checked, outcome: null, jobId: null };
    await this.#parts.store.putStudy(study);
    const title = `Study ${checked.name}`;
    const job = await queue.enqueue({ kind: 'study', title, slideId: null, runId: null, payload: { studyId: id } });
    await this.#parts.store.putStudy({ ...study, jobId: job.id });
    this.#parts.onChanged(id);
    return { studyId: id, jobId: job.id };
  }

  /** Throws NotFound. */
  async get(id: StudyId): Promise<Study> {
    const study = await this.#parts.store.getStudy(id);
    if (study === null) throw new AppError('NotFound', 'This study no longer exists.');
    return study;
  }

  /**
   * A map of what the heads weigh on a run of the same backbone and cut. A slide of the study is judged by the heads of
   * the fold that tested it, any other by all. Throws InvalidRequest for an untrained study or another backbone.
   */
  async attention(spec: AttentionSpec, run: Run, laid: LaidGrid, features: Float32Array): Promise<StoredMap> {
    const study = await this.get(spec.studyId);
    const { outcome, plan } = study;
    if (outcome === null) {
      throw new AppError('InvalidRequest', 'This study is not trained yet.', { advice: 'Let it finish first.' });
    }
    if (run.backboneId !== plan.backboneId || (plan.cut !== null && run.cut !== plan.cut)) {
      throw new AppError('InvalidRequest', 'This analysis was made with another backbone than the study.', {
        advice: "Analyse the slide with the study's backbone and cut first.",
      });
    }
    const tested = outcome.predictions.find(({ slideId }) => slideId === run.slideId);
    const heads = await this.#parts.store.listStudyHeads(spec.studyId);
    const judging = tested === undefined ? heads : heads.filter(({ fold }) => fold === tested.fold);
    this.#worker ??= new TrainingWorker();
    const predictions: BagPrediction[] = [];
    for (const { specJson, weights } of judging) {
      const head = JSON.parse(specJson) as HeadSpec;
      predictions.push(await this.#worker.predict(head, unpackWeights(head, weights), features));
    }
    return attentionMap(spec, run, laid, study, predictions);
  }

  async close(): Promise<void> {
    await this.#worker?.close();
  }

  async #run(id: StudyId, context: JobContext): Promise<void> {
    const { plan } = await this.get(id);
    const runs = await this.#extractAll(plan, context);
    const result = await this.#train(id, plan, runs, context);
    const study = await this.get(id);
    await this.#parts.store.putStudy({ ...study, outcome: outcomeOf(plan, runs, result) });
    this.#parts.onChanged(id);
  }

  async #extractAll(plan: StudyPlan, context: JobContext): Promise<readonly ExtractedSlide[]> {
    const slides: ExtractedSlide[] = [];
    for (const [i, row] of plan.rows.entries()) {
      const { backboneId, cut, grid, tissue } = plan;
      const stage = `Features of slide ${i + 1} of ${plan.rows.length}`;
      const run = await this.#parts.analysis.extractNow(
        { slideId: row.slideId, backboneId, cut, grid, tissue },
        { ...context, report: ({ done, total }) => context.report({ stage, done, total }) },
      );
      slides.push({ runId: run.id, featureDim: run.provenance.featureDim });
    }
    return slides;
  }

  async #train(
    id: StudyId,
    plan: StudyPlan,
    slides: readonly ExtractedSlide[],
    context: JobContext,
  ): Promise<StudyResult> {
    const { store } = this.#parts;
    this.#worker ??= new TrainingWorker();
    const featureDim = slides[0]?.featureDim ?? 0;
    const data: StudyData = {
      cases: casesOf(plan),
      featureDim,
      features: async (index) => await store.readFeatures(slides[index]?.runId ?? asId<RunId>('')),
    };
    const epochs = plan.folds * plan.seeds.length * plan.epochs;
    let done = 0;
    const kept: Promise<void>[] = [];
    const result = await trainStudy(data, trainingPlan(plan), this.#worker, {
      signal: context.signal,
      onEpoch: () => context.report({ stage: 'Training', done: ++done, total: epochs }),
      onModel: (model, models) => {
        done = models * plan.epochs;
        kept.push(this.#keep(id, model));
      },
    });
    await Promise.all(kept);
    return result;
  }

  async #keep(studyId: StudyId, { fold, seed, spec, weights, bestEpoch, history }: StudyModel): Promise<void> {
    await this.#parts.store.putStudyHead({
      ...{ studyId, fold, seed, bestEpoch },
      specJson: JSON.stringify(spec),
      historyJson: JSON.stringify(history),
      weights: packWeights(weights),
    });
  }
}

interface ExtractedSlide {
  readonly runId: RunId;
  readonly featureDim: number;
}

const casesOf = (plan: StudyPlan): StudyCase[] =>
  plan.rows.map(({ slideId, slideName, patient, label }) => ({
    id: slideName || slideId,
    label,
    group: plan.patientsUnknown ? slideId : patient,
  }));

function trainingPlan(plan: StudyPlan): TrainingPlan {
  const { pooling, gated, folds, splitSeed, seeds, epochs, rate, keepBestBy, balanceClasses, patientsUnknown } = plan;
  const { featureDropout, tileDropout, entropyWeight } = plan;
  return {
    head: { pooling, gated },
    regularisers: {
      ...{ featureDropout, tileDropout, entropyWeight },
      instanceWeight: pooling === 'clam-sb' ? 0.3 : 0,
    },
    training: { optimiser: ADAM, rate, weightDecay: 0, clipNorm: null, epochs, patience: null, keepBestBy },
    ...{ balanceClasses, folds, splitSeed, seeds, groupsAreImages: patientsUnknown },
  };
}

/** Throws InvalidRequest for a plan that cannot be trained, with what to change. */
function checkedPlan(plan: StudyPlan): StudyPlan {
  const refuse = (message: string, advice: string): never => {
    throw new AppError('InvalidRequest', message, { advice });
  };
  const twice = plan.rows.find(({ slideId }, i) => plan.rows.findIndex((row) => row.slideId === slideId) !== i);
  if (twice !== undefined) refuse(`${twice.slideName} is in the study twice.`, 'Keep one row for each slide.');
  const unlabelled = plan.rows.filter(({ label }) => label.trim() === '');
  if (unlabelled.length > 0) {
    refuse(`${unlabelled.length} slides of the study have no label.`, 'Give each a label, or take them out.');
  }
  if (new Set(plan.rows.map(({ label }) => label)).size < 2) {
    refuse('All slides of this study carry the same label.', 'A study needs slides of at least two classes.');
  }
  if (!(plan.folds >= 3 && plan.folds <= 20)) refuse('A study takes 3 to 20 folds.', 'Five are usual.');
  if (plan.seeds.length === 0 || plan.seeds.length > 20) refuse('A study takes 1 to 20 seeds.', 'Five are advised.');
  if (!(plan.epochs >= 1 && plan.epochs <= 1000)) refuse('A study takes 1 to 1000 epochs.', 'Twenty are usual.');
  return plan;
}

function outcomeOf(plan: StudyPlan, slides: readonly ExtractedSlide[], result: StudyResult): StudyOutcome {
  return {
    classes: result.classes,
    featureDim: slides[0]?.featureDim ?? 0,
    figures: result.figures.map(figureOf),
    predictions: result.predictions.flatMap(({ caseIndex, fold, probabilities }) => {
      const [row, slide] = [plan.rows[caseIndex], slides[caseIndex]];
      return row && slide ? [{ slideId: row.slideId, runId: slide.runId, fold, probabilities }] : [];
    }),
    audits: result.audits.map(({ train, validation, test }) => ({
      train: auditOf(train),
      validation: auditOf(validation),
      test: auditOf(test),
    })),
    curves: result.models.map(({ fold, seed, bestEpoch, history }) => ({
      ...{ fold, seed, bestEpoch },
      trainLoss: history.map(({ trainLoss }) => trainLoss),
      validationLoss: history.map(({ validationLoss }) => validationLoss),
    })),
    versions: versions(),
    finishedAtMs: Date.now(),
  };
}

const known = (value: number): number | null => (Number.isNaN(value) ? null : value);

const figureOf = ({ name, value, byFold, interval, seedSd }: FigureWithInterval): StudyFigure => ({
  name,
  value: known(value),
  byFold: byFold.map(known),
  low: interval === null ? null : interval.low,
  high: interval === null ? null : interval.high,
  seedSd,
});

const auditOf = ({ cases, groups, labels }: PartAudit): StudyPartAudit => ({ slides: cases, patients: groups, labels });
