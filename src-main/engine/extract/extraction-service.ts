import { AppError, fromErrorPayload, hasCode, toErrorPayload } from '../../../src-shared/errors.ts';
import type {
  ExtractionForecast,
  ExtractionJob,
  ExtractionRequest,
  ExtractionTarget,
  RefusedSlide,
  SlideForecast,
  StartedExtraction,
} from '../../../src-shared/model/extraction.ts';
import type { BackboneId, GridId, SlideId } from '../../../src-shared/model/ids.ts';
import type { GridSpec, Precision, Run, RunState, TissueParams } from '../../../src-shared/model/run.ts';
import type { StainFit } from '../../../src-shared/model/stain.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import { type BackboneTarget, extractPass } from '../infer/extract-pass.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import type { ProviderName } from '../infer/protocol.ts';
import type { JobContext, JobQueue, JobRequest, JobRunner } from '../job/queue.ts';
import type { BackboneService, UsableBackbone } from '../service/backbones.ts';
import type { TissueService } from '../service/tissue-service.ts';
import type { RunIdentity } from '../store/store.ts';
import { bytesFreeFor, featureBytes, refuseWhenFull } from './disk-forecast.ts';
import { computeOnDevice } from './on-device.ts';
import { findOrCreateRun, type RunParts } from './prepare-run.ts';
import { fitSlideStain } from './stain/fit-slide.ts';
import { normalisationKey } from './stain/stain.ts';

export interface ExtractionParts extends RunParts {
  readonly tissue: TissueService;
  readonly backbones: BackboneService;
  readonly worker: InferenceWorker;
  readonly storeFolder: string;
  readonly onRunChanged: (run: Run) => void;
  /** For tests: what the disk has free. */
  readonly bytesFree?: (folder: string) => Promise<number>;
}

/** What a job must know to go on after a restart: one slide, its grid and the features wanted. */
interface Payload {
  readonly slideId: SlideId;
  /** Null where no grid could be laid: trying again lays it. */
  readonly gridId: GridId | null;
  /** Absent in jobs of earlier versions, which have their grid. */
  readonly grid?: GridSpec;
  readonly tissue?: TissueParams;
  readonly targets: readonly ExtractionTarget[];
  readonly precision: Precision;
  readonly stain: StainFit | null;
}

/** A run that still lacks features, with what makes them. */
interface Pending {
  readonly run: Run;
  readonly backbone: UsableBackbone;
}

/** Seconds between notes of the time spent: each is a write of its own. */
const NOTE_EVERY_S = 5;

/** Archives: features of many slides by many backbones, a job a slide, resumable at any chunk. */
export class ExtractionService {
  readonly #parts: ExtractionParts;

  constructor(parts: ExtractionParts) {
    this.#parts = parts;
  }

  /** How the queue does the extraction of one slide; a slide that fails leaves the others in the queue alone. */
  readonly runner: JobRunner = {
    lane: 'inference',
    resumable: true,
    background: true,
    run: (payload, context) => this.#extract(payload as Payload, context),
  };

  /**
   * Lays the grids of all slides and adds up what is missing. Slides that cannot be done are named with the reason.
   * @throws AppError NotFound, InvalidRequest: the targets are wrong; Cancelled.
   */
  async forecast(
    request: ExtractionRequest,
    onSlide?: (slidesDone: number) => void,
    signal?: AbortSignal,
  ): Promise<ExtractionForecast> {
    const backbones = await this.#backbones(request.targets);
    const slides: SlideForecast[] = [];
    const refused: RefusedSlide[] = [];
    for (const [index, slideId] of request.slideIds.entries()) {
      if (signal?.aborted) throw new AppError('Cancelled', 'The extraction was cancelled.');
      try {
        slides.push(await this.#forecastSlide(slideId, request, backbones));
      } catch (error) {
        if (hasCode(error, 'DiskFull', 'StoreDamaged', 'StoreReadOnly', 'Cancelled')) throw error;
        refused.push({ slideId, error: toErrorPayload(error) });
      }
      onSlide?.(index + 1);
    }
    const bytesNeeded = slides.reduce((sum, { bytes }) => sum + bytes, 0);
    const bytesFree = await (this.#parts.bytesFree ?? bytesFreeFor)(this.#parts.storeFolder);
    return { slides, refused, bytesNeeded, bytesFree };
  }

  /**
   * Queues a job for every slide that lacks features, in the order given; a slide that cannot be done is kept on the list
   * with its reason, to be tried again.
   * @throws AppError DiskFull where the disk cannot hold what is planned (nothing is queued then), and as `forecast`.
   */
  async start(
    request: ExtractionRequest,
    queue: JobQueue,
    onSlide?: (slidesDone: number) => void,
    signal?: AbortSignal,
  ): Promise<StartedExtraction> {
    const forecast = await this.forecast(request, onSlide, signal);
    refuseWhenFull(forecast.bytesNeeded, forecast.bytesFree);
    const jobs: ExtractionJob[] = [];
    for (const slide of forecast.slides) {
      const { slideId, tilesLeft } = slide;
      if (tilesLeft === 0) jobs.push({ slideId, jobId: null });
      else jobs.push({ slideId, jobId: (await this.#enqueue(slide, request, queue)).id });
    }
    for (const { slideId, error } of forecast.refused) {
      // A slide that is not in the library is nothing to try again.
      if (error.code === 'NotFound') continue;
      await queue.enqueueFailed(await this.#jobOf(slideId, request, null), fromErrorPayload(error));
    }
    return { forecast, jobs };
  }

  /**
   * Features of one slide by all targets inside another job: stored ones are used, what is missing comes out of one pass.
   * @throws AppError NoTissue, MppUnknown, NotFound, InvalidRequest, SlideMoved, DeviceFailed, Cancelled.
   */
  async extractNow(
    slideId: SlideId,
    targets: readonly ExtractionTarget[],
    { grid, tissue }: { readonly grid: GridSpec; readonly tissue: TissueParams },
    context: JobContext,
  ): Promise<void> {
    await this.#extract({ slideId, gridId: null, grid, tissue, targets, precision: 'float32', stain: null }, context);
  }

  /** Removes what a backbone (null: every one) made of a slide; its jobs are stopped first. */
  async drop(slideId: SlideId, backboneId: BackboneId | null, queue: JobQueue): Promise<void> {
    const { store, onRunChanged } = this.#parts;
    const runs = (await store.listRuns(slideId)).filter((run) => backboneId === null || run.backboneId === backboneId);
    for (const job of queue.list()) {
      const makes = job.kind === 'extract' ? job.slideId === slideId : runs.some(({ id }) => id === job.runId);
      if (makes && runs.length > 0) await queue.cancel(job.id);
    }
    for (const run of runs) {
      await store.removeRun(run.id);
      onRunChanged(run);
    }
  }

  async #enqueue({ slideId, tileCount, tilesLeft }: SlideForecast, request: ExtractionRequest, queue: JobQueue) {
    const laid = await this.#parts.tissue.layGrid(slideId, request.tissue, request.grid);
    const job = await this.#jobOf(slideId, request, laid.grid.id);
    return await queue.enqueue({ ...job, size: { done: tileCount - tilesLeft, total: tileCount, unit: 'tiles' } });
  }

  async #jobOf(slideId: SlideId, request: ExtractionRequest, gridId: GridId | null): Promise<JobRequest> {
    const { grid, tissue, targets, precision, stain } = request;
    const payload: Payload = { slideId, gridId, grid, tissue, targets, precision, stain };
    const names = (await this.#backbones(targets)).map(({ card, cut }) => `${card.name}@${cut.name}`);
    return { kind: 'extract', title: names.join(', '), slideId, runId: null, payload };
  }

  async #backbones(targets: readonly ExtractionTarget[]): Promise<readonly UsableBackbone[]> {
    if (targets.length === 0) throw new AppError('InvalidRequest', 'Name at least one backbone.');
    const all = await Promise.all(targets.map(({ backboneId, cut }) => this.#parts.backbones.use(backboneId, cut)));
    const keys = new Set(all.map(({ card, cut }) => `${card.id}@${cut.name}`));
    if (keys.size === all.length) return all;
    throw new AppError('InvalidRequest', 'The same backbone and cut is named twice.');
  }

  async #forecastSlide(
    slideId: SlideId,
    { tissue, grid, precision, stain }: ExtractionRequest,
    backbones: readonly UsableBackbone[],
  ): Promise<SlideForecast> {
    const laid = await this.#parts.tissue.layGrid(slideId, tissue, grid);
    const { tileCount } = laid.grid;
    if (tileCount === 0) throw noTissue();
    // Cheap, and it spares the job from laying the grid again after a restart.
    await this.#parts.store.putGrid(laid);
    let [bytes, tilesLeft] = [0, 0];
    for (const backbone of backbones) {
      const known = await this.#parts.store.findRun(identityOf(laid, backbone, precision, stain));
      const left = known?.state === 'done' ? 0 : tileCount - (known?.tilesDone ?? 0);
      // A run whose last chunk is stored but which was never marked as done still needs its job.
      tilesLeft = Math.max(tilesLeft, known !== null && known.state !== 'done' ? Math.max(1, left) : left);
      bytes += featureBytes(left, backbone.cut.featureDim, precision);
    }
    return { slideId, tileCount, tilesLeft, bytes };
  }

  async #extract(payload: Payload, context: JobContext): Promise<void> {
    const { store, library } = this.#parts;
    const laid = payload.gridId === null ? await this.#layAgain(payload) : await store.getGrid(payload.gridId);
    if (laid === null) throw new AppError('NotFound', 'The tile grid of this extraction no longer exists.');
    await library.source(payload.slideId);
    const { path } = await library.record(payload.slideId);
    const pending = await this.#prepare(payload, laid, path, context);
    const startedMs = performance.now();
    const seconds = (): number => (performance.now() - startedMs) / 1000;
    try {
      const ids = pending.map(({ run }) => run.id);
      await computeOnDevice(this.#parts, ids, (provider) =>
        this.#compute(pending, laid, path, provider, context, seconds),
      );
      await this.#patchAll(pending, { state: 'done', finishedAtMs: Date.now() }, seconds());
    } catch (error) {
      const state: RunState = hasCode(error, 'Cancelled') ? 'paused' : 'failed';
      await this.#patchAll(pending, { state }, seconds());
      throw error;
    }
  }

  /** The grid of a slide for which none could be laid before. Throws as then, where nothing has changed. */
  async #layAgain({ slideId, grid, tissue }: Payload): Promise<LaidGrid | null> {
    if (grid === undefined || tissue === undefined) return null;
    const laid = await this.#parts.tissue.layGrid(slideId, tissue, grid);
    if (laid.grid.tileCount === 0) throw noTissue();
    await this.#parts.store.putGrid(laid);
    return laid;
  }

  /** The runs of a job that still lack features, made where they are new. */
  async #prepare(payload: Payload, laid: LaidGrid, path: string, context: JobContext): Promise<readonly Pending[]> {
    const { store, onRunChanged } = this.#parts;
    const pending: Pending[] = [];
    let fitted = null;
    for (const backbone of await this.#backbones(payload.targets)) {
      const identity = identityOf(laid, backbone, payload.precision, payload.stain);
      const known = await store.findRun(identity);
      if (known?.state === 'done') continue;
      if (payload.stain !== null && known === null) {
        context.report({ stage: 'Fitting the stain', done: 0, total: 0 });
        fitted ??= { source: await fitSlideStain(path, laid, payload.stain.method), target: payload.stain };
      }
      const run = known ?? (await findOrCreateRun(this.#parts, identity, backbone, laid, fitted));
      const running = await store.updateRun(run.id, { state: 'running', jobId: context.jobId });
      onRunChanged(running);
      pending.push({ run: running, backbone });
    }
    return pending;
  }

  /** One pass for all runs whose batches are cut alike: usually all. */
  async #compute(
    pending: readonly Pending[],
    laid: LaidGrid,
    path: string,
    provider: ProviderName,
    context: JobContext,
    seconds: () => number,
  ): Promise<void> {
    const passes = Map.groupBy(pending, ({ run: { provenance: made } }) =>
      JSON.stringify([made.batchSize, made.threads, made.stain ?? null]),
    );
    for (const members of passes.values()) {
      const made = members[0]?.run.provenance;
      if (made === undefined) continue;
      await extractPass({
        slidePath: path,
        laid,
        backbones: await this.#targets(members, seconds),
        ...(made.stain === undefined ? {} : { stain: made.stain }),
        threads: made.threads,
        batchSize: made.batchSize,
        worker: this.#parts.worker,
        provider,
        signal: context.signal,
        onProgress: (done, total) => context.report({ stage: 'Computing features', done, total, unit: 'tiles' }),
      });
    }
  }

  /** The runs by backbone: those of one backbone come out of one run of its network. */
  async #targets(members: readonly Pending[], seconds: () => number): Promise<readonly BackboneTarget[]> {
    const targets: BackboneTarget[] = [];
    for (const group of Map.groupBy(members, ({ backbone }) => backbone.card.id).values()) {
      const [first] = group;
      if (first === undefined) continue;
      const { modelPath, card } = first.backbone;
      const cuts = await Promise.all(group.map((member) => this.#cutTarget(member, seconds)));
      targets.push({ modelPath, card, cuts });
    }
    return targets;
  }

  async #cutTarget({ run, backbone: { cut } }: Pending, seconds: () => number) {
    const { store } = this.#parts;
    let notedS = 0;
    return {
      cut,
      firstTile: await store.nextTile(run.id),
      onChunk: async (firstTile: number, values: Float32Array, tileCount: number): Promise<void> => {
        await store.appendFeatures({ runId: run.id, firstTile, tileCount, dim: cut.featureDim, values });
        if (seconds() - notedS < NOTE_EVERY_S) return;
        notedS = seconds();
        await store.updateRun(run.id, { secondsSpent: run.secondsSpent + notedS });
      },
    };
  }

  async #patchAll(
    pending: readonly Pending[],
    patch: { readonly state: RunState; readonly finishedAtMs?: number },
    seconds: number,
  ): Promise<void> {
    const { store, onRunChanged } = this.#parts;
    for (const { run } of pending) {
      // It may have been removed meanwhile.
      if ((await store.getRun(run.id)) === null) continue;
      onRunChanged(await store.updateRun(run.id, { ...patch, secondsSpent: run.secondsSpent + seconds }));
    }
  }
}

function noTissue(): AppError {
  return new AppError('NoTissue', 'No tile of this slide holds enough tissue.', {
    advice: 'Lower the tissue threshold, the tile size or the minimal tissue share.',
  });
}

function identityOf(
  { grid }: LaidGrid,
  { card, cut }: UsableBackbone,
  precision: Precision,
  stain: StainFit | null,
): RunIdentity {
  const normalisation = normalisationKey(stain, card);
  return { slideId: grid.slideId, gridId: grid.id, backboneId: card.id, cut: cut.name, normalisation, precision };
}
