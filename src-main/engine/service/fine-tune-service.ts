import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import type { FineTuneRequest } from '../../../src-shared/model/fine-tune.ts';
import { asId, type JobId, type SlideId, type StudyId } from '../../../src-shared/model/ids.ts';
import type { Study, StudyOutcome, StudyPlan, StudySplit } from '../../../src-shared/model/study.ts';
import { tileRef } from '../grid/laid-grid.ts';
import type { JobContext, JobQueue, JobRunner } from '../job/queue.ts';
import type { FineTuneFile, TunedFile } from '../learn/fine-tune/fine-tune-file.ts';
import type { PixelBag, PixelBagSet } from '../learn/fine-tune/fine-tuning.ts';
import { topTiles } from '../learn/fine-tune/top-tiles.ts';
import { attentionWidth, type HeadSpec } from '../learn/head-spec.ts';
import { createDecodePool } from '../slide/decode-pool.ts';
import type { BatchRegion } from '../slide/region-batch.ts';
import type { Store, StudyHeadRecord } from '../store/store.ts';
import type { AnalysisService } from './analysis.ts';
import type { BackboneService, UsableBackbone } from './backbones.ts';
import type { SlideLibrary } from './slide-library.ts';
import type { StudyService } from './study-service.ts';
import { packWeights, unpackWeights } from './study-weights.ts';

export interface FineTuneParts {
  readonly store: Store;
  readonly studies: StudyService;
  readonly analysis: AnalysisService;
  readonly backbones: BackboneService;
  readonly library: SlideLibrary;
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

type TrainedStudy = Study & { readonly outcome: StudyOutcome };

/** Tiles that go through a network at once: what a machine with 8 GB holds of a ResNet50 at 224 px, both ways. */
const TILES_AT_ONCE = 8;

/** Top-k fine-tuning (HistoTransfer, stage 2): a study's backbone and head trained together on the slides' labels. */
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
      const known = await this.#parts.store.getStudy(resultId);
      if (known === null) await this.#tune(payload as Payload, context);
      if (known?.outcome == null) await this.#parts.studies.finish(resultId, context);
    },
  };

  /** Throws NotFound; InvalidRequest naming what cannot be fine-tuned. */
  async start(
    request: FineTuneRequest,
    queue: JobQueue,
  ): Promise<{ readonly studyId: StudyId; readonly jobId: JobId }> {
    const checked = checkedRequest(request);
    const study = await this.#trained(checked.studyId);
    const seed = checked.seed ?? study.plan.seeds[0] ?? 1;
    checkStudy(study, checked.fold);
    await this.#headOf(study, checked.fold, seed);
    const resultId = asId<StudyId>(randomUUID());
    const payload: Payload = { request: checked, seed, resultId };
    const title = `${study.plan.name}, fine-tuning`;
    const job = await queue.enqueue({ kind: 'fine-tune', title, slideId: null, runId: null, payload });
    return { studyId: resultId, jobId: job.id };
  }

  async #tune({ request, seed, resultId }: Payload, context: JobContext): Promise<void> {
    const study = await this.#trained(request.studyId);
    const split = study.outcome.splits[request.fold];
    if (split === undefined) throw noSplit(study);
    const head = await this.#headOf(study, request.fold, seed);
    const spec = JSON.parse(head.specJson) as HeadSpec;
    const backbone = await this.#parts.backbones.use(study.plan.backboneId, study.plan.cut);
    const folder = join(this.#parts.storeFolder, 'fine-tuning', resultId);
    await mkdir(folder, { recursive: true });
    const chosen = await this.#chooseTiles(
      study,
      [...split.train, ...split.validation],
      spec,
      head,
      request.tiles,
      context,
    );
    const bags = (ids: readonly SlideId[]) => this.#pixelBags(study, ids, chosen, backbone.card, context.signal);
    const file = fileOf(study, request, seed, spec, head, backbone, split, {
      ...{ folder, resultId, threads: this.#parts.threads },
    });
    const total = split.train.length * request.epochs;
    const tuned = await this.#parts.studies.trainer.fineTune(file, bags(split.train), bags(split.validation), {
      signal: context.signal,
      onStep: (done) => context.report({ stage: 'Fine-tuning', done, total }),
    });
    const card = await this.#parts.backbones.import(file.outPath, {});
    this.#parts.onBackbone();
    await this.#keep(study, request, seed, resultId, split, card, spec, tuned, context.jobId);
    await rm(folder, { recursive: true, force: true });
  }

  /** The most attended tiles of each slide, as regions, by slide. */
  async #chooseTiles(
    { plan }: Study,
    ids: readonly SlideId[],
    spec: HeadSpec,
    head: StudyHeadRecord,
    count: number,
    context: JobContext,
  ): Promise<ReadonlyMap<SlideId, readonly BatchRegion[]>> {
    const { store, analysis, studies } = this.#parts;
    const { backboneId, cut, grid, tissue } = plan;
    const weights = unpackWeights(spec, head.weights);
    const chosen = new Map<SlideId, readonly BatchRegion[]>();
    for (const [i, slideId] of ids.entries()) {
      context.report({ stage: 'Choosing tiles', done: i, total: ids.length });
      const run = await analysis.extractNow({ slideId, backboneId, cut, grid, tissue }, context);
      const { attentionScores } = await studies.trainer.predict(spec, weights, await store.readFeatures(run.id));
      const laid = await store.getGrid(run.provenance.gridId);
      if (laid === null) throw new AppError('NotFound', 'The tile grid of a slide no longer exists.');
      const regions = topTiles(attentionScores, count).map((index) => {
        const { x0Px, y0Px, sizeLevel0Px } = tileRef(laid, index);
        return { x0Px, y0Px, widthLevel0Px: sizeLevel0Px, heightLevel0Px: sizeLevel0Px };
      });
      chosen.set(slideId, regions);
    }
    return chosen;
  }

  /** Pixels of the chosen tiles, read when a step needs them. */
  #pixelBags(
    { plan, outcome }: TrainedStudy,
    ids: readonly SlideId[],
    chosen: ReadonlyMap<SlideId, readonly BatchRegion[]>,
    { input }: BackboneCard,
    signal: AbortSignal,
  ): PixelBagSet {
    const labels = new Map(plan.rows.map(({ slideId, label }) => [slideId, outcome.classes.indexOf(label)]));
    return {
      count: ids.length,
      get: async (index): Promise<PixelBag> => {
        const slideId = ids[index] ?? asId<SlideId>('');
        const regions = chosen.get(slideId) ?? [];
        await this.#parts.library.source(slideId);
        const { path } = await this.#parts.library.record(slideId);
        const output = new SharedArrayBuffer(regions.length * input.widthPx * input.heightPx * 3);
        const pool = createDecodePool({ slidePath: path, workers: 1 });
        try {
          const size = { outWidthPx: input.widthPx, outHeightPx: input.heightPx };
          await pool.readRegions({ regions, ...size, output, offset: 0 }, signal);
        } finally {
          await pool.close();
        }
        return { pixels: new Uint8Array(output), label: labels.get(slideId) ?? 0 };
      },
    };
  }

  /** Keeps the result as a study of its own on the new backbone: one split, one head, judged like any other. */
  async #keep(
    study: TrainedStudy,
    request: FineTuneRequest,
    seed: number,
    resultId: StudyId,
    split: StudySplit,
    card: BackboneCard,
    spec: HeadSpec,
    { head, bestEpoch, history }: TunedFile,
    jobId: JobId,
  ): Promise<void> {
    const { store, onStudy } = this.#parts;
    const named = new Set([...split.train, ...split.validation, ...split.test]);
    const plan: StudyPlan = {
      ...study.plan,
      name: `${study.plan.name}, fine-tuned on split ${request.fold + 1}`,
      rows: study.plan.rows.filter(({ slideId }) => named.has(slideId)),
      backboneId: card.id,
      cut: card.defaultCut,
      splitting: { kind: 'given', from: `split ${request.fold + 1} of ${study.plan.name}`, splits: [split] },
      seeds: [seed],
      epochs: request.epochs,
      rate: request.rate,
    };
    await store.putStudy({ id: resultId, createdAtMs: Date.now(), plan, outcome: null, jobId });
    await store.putStudyHead({
      ...{ studyId: resultId, fold: 0, seed, bestEpoch },
      specJson: JSON.stringify(spec),
      historyJson: JSON.stringify(history),
      weights: packWeights(head),
    });
    onStudy(resultId);
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

function noSplit({ outcome }: TrainedStudy): AppError {
  return new AppError('InvalidRequest', 'This study has no such split.', {
    advice: `Its splits are 1 to ${outcome.splits.length}.`,
  });
}

function checkedRequest(request: FineTuneRequest): FineTuneRequest {
  const { fold, tiles, tilesPerStep, epochs, rate, seed } = request;
  const whole = (value: number, low: number, high: number): boolean =>
    Number.isInteger(value) && value >= low && value <= high;
  const refuse = (message: string): never => {
    throw new AppError('InvalidRequest', message);
  };
  if (!whole(fold, 0, 10_000)) refuse('A split is named by its number.');
  if (seed !== null && !Number.isInteger(seed)) refuse('A seed is a whole number.');
  if (!whole(tiles, 1, 100_000)) refuse('Choose at least one tile of each slide.');
  if (tilesPerStep !== null && !whole(tilesPerStep, 1, tiles)) refuse('A step takes from one to all chosen tiles.');
  if (!whole(epochs, 1, 1000)) refuse('Fine-tuning takes 1 to 1000 epochs.');
  if (!(rate >= 0 && rate <= 1)) refuse('The learning rate lies between 0 and 1.');
  return { studyId: request.studyId, fold, seed, tiles, tilesPerStep, epochs, rate };
}

/** Throws InvalidRequest for a study without pixels or without attention. */
function checkStudy(study: TrainedStudy, fold: number): void {
  const { plan, outcome } = study;
  if (outcome.splits[fold] === undefined) throw noSplit(study);
  if (attentionWidth(plan.pooling) === 0) {
    throw new AppError('InvalidRequest', 'This study pools without attention, so no tiles stand out.', {
      advice: 'Train it with attention pooling first.',
    });
  }
  if (plan.rows.some(({ runId }) => runId !== null)) {
    throw new AppError('InvalidRequest', 'The features of this study were imported: there are no pixels to train on.', {
      advice: 'Make a study of the slides themselves.',
    });
  }
}

interface Surroundings {
  readonly folder: string;
  readonly resultId: StudyId;
  readonly threads: number;
}

function fileOf(
  study: TrainedStudy,
  request: FineTuneRequest,
  seed: number,
  spec: HeadSpec,
  head: StudyHeadRecord,
  { card, cut, modelPath }: UsableBackbone,
  split: StudySplit,
  { folder, resultId, threads }: Surroundings,
): FineTuneFile {
  const { plan, outcome } = study;
  const { epochs, rate, tiles, tilesPerStep, fold } = request;
  const labelOf = new Map(plan.rows.map(({ slideId, label }) => [slideId, label]));
  const counts = outcome.classes.map((name) => split.train.filter((id) => labelOf.get(id) === name).length);
  const balanced = counts.map((count) => split.train.length / (outcome.classes.length * Math.max(1, count)));
  const slides = `${split.train.length} slides of "${plan.name}" (split ${fold + 1}, seed ${seed})`;
  return {
    ...{ modelPath, card, outPath: join(folder, 'tuned.onnx') },
    tuning: {
      ...{ cut, input: card.input, inputName: card.inputName, head: spec, rate, epochs, tilesPerStep, seed, threads },
      headWeights: unpackWeights(spec, head.weights),
      keepBestBy: plan.keepBestBy,
      classWeights: plan.balanceClasses ? balanced : outcome.classes.map(() => 1),
      tilesAtOnce: TILES_AT_ONCE,
      checkpointPath: join(folder, 'state'),
      checkpointKey: resultId,
    },
    described: {
      name: `${card.name}@${cut.name}-tuned-${resultId.slice(0, 8)}`,
      // It began as what the card says; only random weights are none any more once they have learned from tissue.
      origin: card.origin === 'random' ? 'histology' : card.origin,
      method: `${card.method}; then fine-tuned end to end on slide labels: ${tiles} most attended tiles of ${slides}, Adam ${rate}, ${epochs} epochs, norms frozen`,
      source: `fine-tuned from ${card.name} (${card.id.slice(0, 12)}); its training and validation slides are no test of it`,
      trainedMpp: plan.grid.mpp,
    },
    record: {
      ...{ fromBackbone: card.id, cut: cut.name, studyId: study.id, study: plan.name, fold, seed, tiles, tilesPerStep },
      ...{ epochs, rate, trainSlides: split.train, validationSlides: split.validation },
    },
  };
}
