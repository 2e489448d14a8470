import { AppError, hasCode } from '../../../src-shared/errors.ts';
import type { GridId, JobId, RunId } from '../../../src-shared/model/ids.ts';
import type { AnalysisRequest, Run, RunState } from '../../../src-shared/model/run.ts';
import { computeOnDevice } from '../extract/on-device.ts';
import { findOrCreateRun } from '../extract/prepare-run.ts';
import { normalisationKey } from '../extract/stain/stain.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import { extractFeatures } from '../infer/extract.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import type { ProviderName } from '../infer/protocol.ts';
import type { JobContext, JobQueue, JobRunner } from '../job/queue.ts';
import type { RunIdentity, Store } from '../store/store.ts';
import type { BackboneService } from './backbones.ts';
import type { DeviceService } from './device-service.ts';
import type { SlideLibrary } from './slide-library.ts';
import type { TissueService } from './tissue-service.ts';

/** Seconds between notes of the time spent: each is a write of its own. */
const NOTE_EVERY_S = 5;

export interface AnalysisParts {
  readonly store: Store;
  readonly library: SlideLibrary;
  readonly tissue: TissueService;
  readonly backbones: BackboneService;
  readonly device: DeviceService;
  readonly worker: InferenceWorker;
  readonly versions: Readonly<Record<string, string>>;
  /** Computes and keeps the map that is shown first. */
  readonly drawFirstMap: (runId: RunId) => Promise<void>;
  readonly onRunChanged: (run: Run) => void;
}

interface Payload {
  readonly runId: RunId;
}

/** Extractions: from a request to a run whose features lie in the store, resumable at any chunk. */
export class AnalysisService {
  readonly #parts: AnalysisParts;
  /** Requests are taken one after another, so that two equal ones at once lead to one run. */
  #preparing: Promise<unknown> = Promise.resolve();

  constructor(parts: AnalysisParts) {
    this.#parts = parts;
  }

  /** How the queue does (and after a restart continues) an extraction. One at a time: they share the device. */
  readonly runner: JobRunner = {
    lane: 'inference',
    resumable: true,
    run: (payload, context) => this.#extract((payload as Payload).runId, context),
  };

  /** See EngineApi.startAnalysis. Throws MppUnknown, NoTissue, NotFound, InvalidRequest, SlideMoved. */
  async start(
    request: AnalysisRequest,
    queue: JobQueue,
  ): Promise<{ readonly runId: RunId; readonly jobId: JobId | null }> {
    const run = await this.#prepare(request);
    if (run.state === 'done') return { runId: run.id, jobId: null };
    const active = queue.activeJobOf(run.id);
    if (active !== null) return { runId: run.id, jobId: active.id };
    const payload: Payload = { runId: run.id };
    const { slideId } = run;
    const title = `${run.backboneName} at ${run.cut}`;
    const job = await queue.enqueue({ kind: 'analyse', title, slideId, runId: run.id, payload });
    return { runId: run.id, jobId: job.id };
  }

  /** Lays and keeps the tiles of a slide for later. Throws as `start`. */
  async layTiles({ slideId, tissue, grid }: Pick<AnalysisRequest, 'slideId' | 'tissue' | 'grid'>): Promise<GridId> {
    const laid = await this.#lay({ slideId, tissue, grid });
    await this.#parts.store.putGrid(laid);
    return laid.grid.id;
  }

  /**
   * Features of one slide inside another job: the stored ones where they are whole, else extracted now.
   * @param laidBefore its tiles by `layTiles`; absent = they are laid now.
   */
  async extractNow(request: AnalysisRequest, context: JobContext, laidBefore?: GridId): Promise<Run> {
    const run = await this.#prepare(request, laidBefore);
    if (run.state !== 'done') await this.#extract(run.id, context);
    const done = await this.#parts.store.getRun(run.id);
    return done ?? run;
  }

  async #prepare(request: AnalysisRequest, laidBefore?: GridId): Promise<Run> {
    const preparing = this.#preparing.then(() => this.#findOrCreate(request, laidBefore));
    this.#preparing = preparing.catch(() => undefined);
    return await preparing;
  }

  async #lay({ slideId, tissue, grid }: Pick<AnalysisRequest, 'slideId' | 'tissue' | 'grid'>): Promise<LaidGrid> {
    const laid = await this.#parts.tissue.layGrid(slideId, tissue, grid);
    if (laid.grid.tileCount > 0) return laid;
    throw new AppError('NoTissue', 'No tile of this slide holds enough tissue.', {
      advice: 'Look at the tissue preview: lower the threshold, the tile size or the minimal tissue share.',
    });
  }

  async #findOrCreate(request: AnalysisRequest, laidBefore?: GridId): Promise<Run> {
    const { store, backbones } = this.#parts;
    const backbone = await backbones.use(request.backboneId, request.cut);
    const kept = laidBefore === undefined ? null : await store.getGrid(laidBefore);
    const laid = kept ?? (await this.#lay(request));
    const identity: RunIdentity = {
      slideId: request.slideId,
      gridId: laid.grid.id,
      backboneId: backbone.card.id,
      cut: backbone.cut.name,
      normalisation: normalisationKey(null, backbone.card),
      precision: 'float32',
    };
    await store.putGrid(laid);
    const run = await findOrCreateRun(this.#parts, identity, backbone, laid, null);
    if (run.tilesDone === 0) this.#parts.onRunChanged(run);
    return run;
  }

  /** Runs what is left of a run; every chunk is stored before the next is asked for. */
  async #extract(runId: RunId, context: JobContext): Promise<void> {
    const { store, drawFirstMap } = this.#parts;
    const run = await this.#patch(runId, { state: 'running', jobId: context.jobId });
    const startedMs = performance.now();
    const spent = (): number => run.secondsSpent + (performance.now() - startedMs) / 1000;
    try {
      await computeOnDevice(this.#parts, [runId], (provider) => this.#computeMissing(run, provider, context, spent));
      await this.#patch(runId, { state: 'done', secondsSpent: spent(), finishedAtMs: Date.now() });
    } catch (error) {
      const state: RunState = hasCode(error, 'Cancelled') ? 'paused' : 'failed';
      if ((await store.getRun(runId)) !== null) await this.#patch(runId, { state, secondsSpent: spent() });
      throw error;
    }
    context.report({ stage: 'Drawing the map', done: run.tileCount, total: run.tileCount, unit: 'tiles' });
    await drawFirstMap(runId);
  }

  async #computeMissing(run: Run, provider: ProviderName, context: JobContext, spent: () => number): Promise<void> {
    const { store, library, backbones, worker } = this.#parts;
    const { provenance } = run;
    const laid = await store.getGrid(provenance.gridId);
    if (laid === null) throw new AppError('NotFound', 'The tile grid of this analysis no longer exists.');
    const { card: current, cut, modelPath } = await backbones.use(run.backboneId, run.cut);
    // A card edited meanwhile must not change a run half way.
    const card = { ...current, input: provenance.input ?? current.input };
    await library.source(run.slideId);
    const { path } = await library.record(run.slideId);
    const report = (done: number): void => {
      context.report({ stage: 'Computing features', done, total: run.tileCount, unit: 'tiles' });
    };
    const firstTile = await store.nextTile(run.id);
    report(firstTile);
    let noted = run.secondsSpent;
    await extractFeatures({
      slidePath: path,
      laid,
      modelPath,
      card,
      cut,
      threads: provenance.threads,
      batchSize: provenance.batchSize,
      firstTile,
      worker,
      provider,
      signal: context.signal,
      onProgress: report,
      onChunk: async (first, values, tileCount) => {
        await store.appendFeatures({ runId: run.id, firstTile: first, tileCount, dim: cut.featureDim, values });
        if (spent() - noted < NOTE_EVERY_S) return;
        noted = spent();
        await store.updateRun(run.id, { secondsSpent: noted });
      },
    });
  }

  async #patch(runId: RunId, patch: Parameters<Store['updateRun']>[1]): Promise<Run> {
    const run = await this.#parts.store.updateRun(runId, patch);
    this.#parts.onRunChanged(run);
    return run;
  }
}
