import { randomUUID } from 'node:crypto';
import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, hasCode } from '../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import type { FineTuneForecast, FineTuneRequest, FineTuningRecord } from '../../../src-shared/model/fine-tune.ts';
import { asId, type JobId, type SlideId, type StudyId } from '../../../src-shared/model/ids.ts';
import type { Study, StudySplit } from '../../../src-shared/model/study.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import type { JobContext, JobQueue, JobRunner } from '../job/queue.ts';
import type { TunedFile } from '../learn/fine-tune/fine-tune-file.ts';
import type { PixelBag, PixelBagSet } from '../learn/fine-tune/fine-tuning.ts';
import { topTiles } from '../learn/fine-tune/top-tiles.ts';
import type { HeadSpec } from '../learn/head-spec.ts';
import type { BatchRegion } from '../slide/region-batch.ts';
import type { Store, StudyHeadRecord } from '../store/store.ts';
import type { AnalysisService } from './analysis.ts';
import type { BackboneService, UsableBackbone } from './backbones.ts';
import { BagCache } from './bag-cache.ts';
import type { DeviceService } from './device-service.ts';
import { forecastOf } from './fine-tune-forecast.ts';
import {
  checkedRequest,
  fileOf,
  frozenCut,
  isUntuned,
  noSplit,
  planOf,
  recordOf,
  splitOf,
  type TrainedStudy,
} from './fine-tune-plan.ts';
import { type RefusedSlide, slidesRefused } from './refused-slides.ts';
import type { SlideLibrary } from './slide-library.ts';
import type { StudyService } from './study-service.ts';
import { packWeights, unpackWeights } from './study-weights.ts';
import { readTiles, seenTiles } from './tile-pixels.ts';
import { tunedChange } from './tuned-change.ts';

export interface FineTuneParts {
  readonly store: Store;
  readonly studies: StudyService;
  readonly analysis: AnalysisService;
  readonly backbones: BackboneService;
  readonly library: SlideLibrary;
  readonly worker: InferenceWorker;
  readonly device: Pick<DeviceService, 'choose'>;
  readonly storeFolder: string;
  /** Threads of a session; 0 = all cores. */
  readonly threads: number;
  readonly onBackbone: () => void;
  readonly onStudy: (id: StudyId) => void;
}

interface Payload {
  readonly request: FineTuneRequest;
  readonly seed: number;
  /** The study that it ends as. */
  readonly resultId: StudyId;
}

type Started = { readonly studyId: StudyId; readonly jobId: JobId };

/**
 * Top-k fine-tuning (HistoTransfer, stage 2): a study's backbone and head trained together on the slides' labels. The
 * study it ends as is there from the start, on the backbone that is begun with, so that it can be watched, stopped and
 * gone on with like any other.
 */
export class FineTuneService {
  readonly #parts: FineTuneParts;

  constructor(parts: FineTuneParts) {
    this.#parts = parts;
  }

  /** Goes on after the last whole epoch; a backbone that is made already is not trained again. */
  readonly runner: JobRunner = {
    lane: 'inference',
    resumable: true,
    run: async (payload, context) => {
      const { resultId } = payload as Payload;
      const { store, studies, onStudy } = this.#parts;
      const known = { ...(payload as Payload), request: checkedRequest((payload as Payload).request) };
      const study = (await store.getStudy(resultId)) ?? (await this.#open(known, context.jobId));
      try {
        if (isUntuned(study.plan)) await this.#tune(known, context);
      } finally {
        studies.forget(resultId);
      }
      if ((await studies.get(resultId)).outcome === null) await studies.finish(resultId, context);
      await this.#keepChange(resultId, context);
      onStudy(resultId);
    },
  };

  /** One that was stopped with the same settings goes on. Throws NotFound; InvalidRequest naming what cannot be fine-tuned. */
  async start(request: FineTuneRequest, queue: JobQueue): Promise<Started> {
    const { checked, seed, study, split, backbone } = await this.#checked(request);
    const record = JSON.stringify(recordOf(study, checked, seed, backbone, split));
    const stopped = (await this.#parts.store.listStudies()).find(({ plan, outcome }) => {
      return outcome === null && isUntuned(plan) && JSON.stringify(plan.fineTuning) === record;
    });
    const goingOn = stopped === undefined ? null : await this.goOn(stopped.id, queue);
    if (goingOn !== null) return goingOn;
    const payload: Payload = { request: checked, seed, resultId: asId<StudyId>(randomUUID()) };
    await this.#open(payload, null);
    return await this.#enqueue(payload, queue);
  }

  /** Goes on with the fine-tuning that a study comes of; null where it comes of none, or the backbone is made already. */
  async goOn(id: StudyId, queue: JobQueue): Promise<Started | null> {
    const { plan, jobId } = await this.#parts.studies.get(id);
    if (plan.fineTuning === undefined || !isUntuned(plan)) return null;
    const job = jobId === null ? null : queue.get(jobId);
    if (job !== null && (job.state === 'queued' || job.state === 'running')) return { studyId: id, jobId: job.id };
    if (job?.resumable) {
      await queue.resume(job.id);
      return { studyId: id, jobId: job.id };
    }
    const { studyId, fold, seed, tiles, tilesPerStep, frozenUpTo, epochs, rate, headRate } = plan.fineTuning;
    const request = { studyId, fold, seed, tiles, tilesPerStep, frozenUpTo, epochs, rate, headRate };
    await this.#checked(request);
    return await this.#enqueue({ request, seed, resultId: id }, queue);
  }

  /** What it would do and take. Throws as `start`. */
  async forecast(request: FineTuneRequest, queue: JobQueue): Promise<FineTuneForecast> {
    const { store, worker, device, threads } = this.#parts;
    const { checked, split, backbone } = await this.#checked(request);
    const tilesOf = async (slideId: SlideId): Promise<number> => {
      const own = (await store.listRuns(slideId)).find((run) => {
        return run.backboneId === backbone.card.id && run.cut === backbone.cut.name && run.state === 'done';
      });
      return own?.tileCount ?? checked.tiles;
    };
    const busy = queue.list().some(({ state }) => state === 'running');
    const { provider } = await device.choose([backbone.card.id]);
    return await forecastOf({ request: checked, split, backbone, tilesOf, worker, threads, provider, busy });
  }

  async #checked(request: FineTuneRequest) {
    const checked = checkedRequest(request);
    const study = await this.#trained(checked.studyId);
    const seed = checked.seed ?? study.plan.seeds[0] ?? 1;
    const split = splitOf(study, checked.fold);
    await this.#headOf(study, checked.fold, seed);
    const backbone = await this.#parts.backbones.use(study.plan.backboneId, study.plan.cut);
    frozenCut(backbone, checked.frozenUpTo);
    return { checked, study, seed, split, backbone };
  }

  /** Keeps the study that it will end as. */
  async #open({ request, seed, resultId }: Payload, jobId: JobId | null): Promise<Study> {
    const study = await this.#trained(request.studyId);
    const split = splitOf(study, request.fold);
    const backbone = await this.#parts.backbones.use(study.plan.backboneId, study.plan.cut);
    const record = recordOf(study, request, seed, backbone, split);
    const plan = planOf(study, record, split);
    const opened: Study = { id: resultId, createdAtMs: Date.now(), plan, outcome: null, jobId };
    await this.#parts.store.putStudy(opened);
    this.#parts.onStudy(resultId);
    return opened;
  }

  async #enqueue(payload: Payload, queue: JobQueue): Promise<Started> {
    const { store, onStudy } = this.#parts;
    const { resultId } = payload;
    const { plan } = await this.#parts.studies.get(payload.request.studyId);
    const title = `${plan.name}, fine-tuning`;
    const job = await queue.enqueue({ kind: 'fine-tune', title, slideId: null, runId: null, payload });
    await store.putStudy({ ...(await this.#parts.studies.get(resultId)), jobId: job.id });
    onStudy(resultId);
    return { studyId: resultId, jobId: job.id };
  }

  async #tune({ request, seed, resultId }: Payload, context: JobContext): Promise<void> {
    const { backbones, studies, storeFolder, threads, onBackbone } = this.#parts;
    const study = await this.#trained(request.studyId);
    const split = splitOf(study, request.fold);
    const head = await this.#headOf(study, request.fold, seed);
    const spec = JSON.parse(head.specJson) as HeadSpec;
    const backbone = await backbones.use(study.plan.backboneId, study.plan.cut);
    const record = recordOf(study, request, seed, backbone, split);
    const folder = join(storeFolder, 'fine-tuning', resultId);
    await mkdir(folder, { recursive: true });
    const chosen = await this.#chooseTiles(study, split, spec, head, record, backbone, context);
    const bags = (ids: readonly SlideId[]) => this.#pixelBags(study, ids, chosen, backbone.card, context.signal);
    const stageOne = { spec, weights: unpackWeights(spec, head.weights) };
    const file = fileOf(study, record, stageOne, backbone, { folder, resultId, threads });
    const total = split.train.length * request.epochs;
    context.report({ stage: 'Fine-tuning', done: 0, total, unit: 'steps' });
    const tuned = await studies.trainer.fineTune(file, bags(split.train), bags(split.validation), {
      signal: context.signal,
      onStep: (done) => context.report({ stage: 'Fine-tuning', done, total, unit: 'steps' }),
      onEpoch: (epoch) => studies.showEpoch(resultId, seed, epoch),
    });
    const card = await backbones.import(file.outPath, {});
    onBackbone();
    await this.#keep(resultId, seed, card, spec, tuned);
    await rm(folder, { recursive: true, force: true });
  }

  /** The most attended tiles of each slide of the training and validation parts, as regions. Slides that cannot be used are named together. */
  async #chooseTiles(
    { plan }: Study,
    split: StudySplit,
    spec: HeadSpec,
    head: StudyHeadRecord,
    { tiles }: FineTuningRecord,
    { card }: UsableBackbone,
    context: JobContext,
  ): Promise<ReadonlyMap<SlideId, readonly BatchRegion[]>> {
    const { store, analysis, studies, library } = this.#parts;
    const { backboneId, cut, grid, tissue } = plan;
    const weights = unpackWeights(spec, head.weights);
    const ids = [...split.train, ...split.validation];
    const chosen = new Map<SlideId, readonly BatchRegion[]>();
    const refused: RefusedSlide[] = [];
    for (const [i, slideId] of ids.entries()) {
      context.report({ stage: 'Choosing tiles', done: i, total: ids.length, unit: 'slides' });
      try {
        // Its pixels are needed in every epoch: a file that is gone shows now, also where it is still open.
        const { path } = await library.record(slideId);
        await access(path).catch((cause) => {
          throw new AppError('SlideMoved', 'Its file is not where it was.', { detail: path, cause });
        });
        await library.source(slideId);
        const run = await analysis.extractNow({ slideId, backboneId, cut, grid, tissue }, context);
        const { attentionScores } = await studies.trainer.predict(spec, weights, await store.readFeatures(run.id));
        const laid = await store.getGrid(run.provenance.gridId);
        if (laid === null) throw new AppError('NotFound', 'The tile grid of a slide no longer exists.');
        chosen.set(slideId, seenTiles(laid, topTiles(attentionScores, tiles), card.input));
      } catch (error) {
        if (context.signal.aborted || !(error instanceof AppError) || error.code === 'Cancelled') throw error;
        const row = plan.rows.find((candidate) => candidate.slideId === slideId);
        refused.push({ name: row?.slideName || slideId.slice(0, 12), reason: error.message });
      }
    }
    if (refused.length === 0) return chosen;
    throw slidesRefused(
      'These slides cannot be read',
      refused,
      'Fine-tuning needs their pixels. Put the files back where they were, or open them from where they are now.',
    );
  }

  /** Pixels of the chosen tiles, read when a step first needs them and kept as far as memory allows. */
  #pixelBags(
    { plan, outcome }: TrainedStudy,
    ids: readonly SlideId[],
    chosen: ReadonlyMap<SlideId, readonly BatchRegion[]>,
    { input }: BackboneCard,
    signal: AbortSignal,
  ): PixelBagSet {
    const labels = new Map(plan.rows.map(({ slideId, label }) => [slideId, outcome.classes.indexOf(label)]));
    const pixels = new BagCache(async (index) => {
      const slideId = ids[index] ?? asId<SlideId>('');
      const regions = chosen.get(slideId) ?? [];
      const read = await readTiles(this.#parts.library, slideId, regions, input, signal).catch((error) => {
        if (signal.aborted || !(error instanceof AppError)) throw error;
        const { code, message, advice, detail } = error;
        const name = plan.rows.find((row) => row.slideId === slideId)?.slideName || slideId.slice(0, 12);
        throw new AppError(code, `${name}: ${message}`, { advice, detail, cause: error });
      });
      return new Uint8Array(read);
    });
    const get = async (index: number): Promise<PixelBag> => {
      return { pixels: await pixels.get(index), label: labels.get(ids[index] ?? asId<SlideId>('')) ?? 0 };
    };
    return { count: ids.length, get };
  }

  /** Puts the study on its new backbone, with the head that was trained with it. */
  async #keep(
    id: StudyId,
    seed: number,
    card: BackboneCard,
    spec: HeadSpec,
    { head, bestEpoch, history, trainedOn }: TunedFile,
  ): Promise<void> {
    const { store, studies, onStudy } = this.#parts;
    const study = await studies.get(id);
    await store.putStudyHead({
      ...{ studyId: id, fold: 0, seed, bestEpoch },
      specJson: JSON.stringify(spec),
      historyJson: JSON.stringify(history),
      trainedOnJson: JSON.stringify(trainedOn),
      weights: packWeights(head),
    });
    await store.putStudy({ ...study, plan: { ...study.plan, backboneId: card.id, cut: card.defaultCut } });
    onStudy(id);
  }

  /** What became of the layers; left out where the former backbone is no longer here. */
  async #keepChange(id: StudyId, context: JobContext): Promise<void> {
    const { store, studies, backbones, library, worker, threads } = this.#parts;
    const study = await studies.get(id);
    const { outcome, plan } = study;
    if (outcome === null || plan.fineTuning === undefined || outcome.tunedChange !== undefined) return;
    const before = await backbones.use(plan.fineTuning.from, null).catch((error: unknown) => {
      if (hasCode(error, 'NotFound')) return null;
      throw error;
    });
    if (before === null) return;
    const after = await backbones.use(plan.backboneId, null);
    const change = await tunedChange({ store, library, worker, threads }, before, after, outcome, context);
    const now = await studies.get(id);
    if (change === null || now.outcome === null) return;
    await store.putStudy({ ...now, outcome: { ...now.outcome, tunedChange: change } });
  }

  /** Lets go of what is kept of a fine-tuning under way: when its study is removed. */
  async forget(id: StudyId): Promise<void> {
    await rm(join(this.#parts.storeFolder, 'fine-tuning', id), { recursive: true, force: true });
  }

  async #trained(id: StudyId): Promise<TrainedStudy> {
    const study = await this.#parts.studies.get(id);
    const { outcome } = study;
    if (outcome !== null) return { ...study, outcome };
    throw new AppError('InvalidRequest', 'This study is not trained yet.', { advice: 'Train it first.' });
  }

  async #headOf(study: TrainedStudy, fold: number, seed: number): Promise<StudyHeadRecord> {
    const heads = await this.#parts.store.listStudyHeads(study.id);
    const head = heads.find((candidate) => candidate.fold === fold && candidate.seed === seed);
    if (head !== undefined) return head;
    const seeds = heads.filter((candidate) => candidate.fold === fold).map((candidate) => candidate.seed);
    if (seeds.length === 0) throw noSplit(study);
    throw new AppError('InvalidRequest', `Split ${fold + 1} of this study has no head with seed ${seed}.`, {
      advice: `There are: ${seeds.join(', ')}.`,
    });
  }
}
