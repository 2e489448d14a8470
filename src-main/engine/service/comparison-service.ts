import { randomUUID } from 'node:crypto';
import { basename, join } from 'node:path';
import type { ExportedFile } from '../../../src-shared/api/engine.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type {
  ComparisonCell,
  ComparisonEntry,
  ComparisonRecord,
  ComparisonRequest,
  TaskCheck,
  TaskSelection,
} from '../../../src-shared/model/comparison-record.ts';
import { asId, type ComparisonId, type JobId, type SlideId, type StudyId } from '../../../src-shared/model/ids.ts';
import { type CompareBackbone, chooseCuts } from '../compare/contenders.ts';
import type { ExtractionService } from '../extract/extraction-service.ts';
import type { JobContext, JobQueue, JobRunner } from '../job/queue.ts';
import type { EncodedImage } from '../slide/slide-source.ts';
import type { Store } from '../store/store.ts';
import type { CompareWork } from '../worker/compare.ts';
import type { BackboneService } from './backbones.ts';
import { checkedCuts, checkedPattern, checkedSettings, checkNames } from './checked-comparison.ts';
import { ComparisonFiles } from './comparison-files.ts';
import { compareInWorker } from './comparison-worker.ts';
import type { DeviceService } from './device-service.ts';
import type { Exports } from './exports.ts';
import type { Grants } from './grants.ts';
import { patchPicture } from './patch-picture.ts';
import type { SlideLibrary } from './slide-library.ts';
import type { StudyService } from './study-service.ts';
import { checkTasksAt } from './task-check.ts';
import { checkTruncatable, type TrainedCuts, trainEveryCut, truncationOf } from './truncation-training.ts';
import { versions } from './versions.ts';

export interface ComparisonParts {
  readonly storeFolder: string;
  readonly store: Store;
  readonly grants: Grants;
  readonly library: SlideLibrary;
  readonly backbones: BackboneService;
  readonly device: DeviceService;
  readonly studies: StudyService;
  /** For truncation studies; a function, because it is made later. */
  readonly extraction: () => ExtractionService;
  readonly exportsKept: Exports;
  readonly onChanged: (id: ComparisonId) => void;
}

/** Comparisons of backbones on patch tasks: computed as jobs, kept with everything that made them, exported. */
export class ComparisonService {
  readonly #parts: ComparisonParts;
  readonly #files: ComparisonFiles;
  readonly #pathsByHash = new Map<ComparisonId, Promise<ReadonlyMap<string, string>>>();

  constructor(parts: ComparisonParts) {
    this.#parts = parts;
    this.#files = new ComparisonFiles(parts.storeFolder, parts.exportsKept, (id) => this.get(id));
  }

  /** Again with the same payload: features come from the cache, so that it goes on where it stopped. */
  readonly runner: JobRunner = {
    lane: 'inference',
    resumable: true,
    run: (payload, context) => this.#run((payload as { readonly comparisonId: ComparisonId }).comparisonId, context),
  };

  /** What would be compared, and what is wrong with it. Throws NotAllowed, NotFound, InvalidRequest. */
  async check({ grants, crossValidate, ungrouped, groupPattern }: TaskSelection): Promise<readonly TaskCheck[]> {
    const paths = grants.map((grant) => this.#parts.grants.redeem(grant));
    return await checkTasksAt(paths, {
      ...{ crossValidate: crossValidate === true, ungrouped: ungrouped.map(String) },
      groupPattern: groupPattern ? checkedPattern(groupPattern) : null,
    });
  }

  /** Keeps what is to be compared and queues it. Throws InvalidRequest, NotAllowed, NotFound. */
  async start(
    request: ComparisonRequest,
    queue: JobQueue,
  ): Promise<{ readonly comparisonId: ComparisonId; readonly jobId: JobId }> {
    const { store, grants, library, backbones, onChanged } = this.#parts;
    const settings = checkedSettings(request.settings);
    const paths = request.tasks.map((grant) => grants.redeem(grant));
    if (paths.length === 0) throw new AppError('InvalidRequest', 'There is no task.', { advice: 'Choose a folder.' });
    const chosen = await Promise.all(
      request.backbones.map(async ({ backboneId, cuts }) => {
        const card = await backbones.get(backboneId);
        return { backboneId, name: card.name, cuts: checkedCuts(card, cuts) };
      }),
    );
    const slides = settings.robustnessImages === 0 ? [] : request.slides.map(String).map(asId<SlideId>);
    for (const slideId of slides) await library.get(slideId);
    checkNames(chosen.map(({ name }) => name));
    const slideStudy = request.slideStudyId == null ? null : await this.#slideStudy(request.slideStudyId);
    const id = asId<ComparisonId>(randomUUID());
    const name = String(request.name).trim() || 'Comparison';
    const entry: ComparisonEntry = {
      ...{ id, name, createdAtMs: Date.now(), jobId: null, settings, made: null },
      taskSources: paths.map((path) => basename(path)),
      backbones: chosen,
      slides,
      ...(slideStudy === null
        ? {}
        : { truncation: { slideStudyId: slideStudy.id, name: slideStudy.plan.name, studies: [] } }),
    };
    await store.putComparison({ entry, paths });
    const payload = { comparisonId: id };
    const job = await queue.enqueue({
      ...{ kind: 'compare', title: `Comparison ${name}`, slideId: null, runId: null, payload },
    });
    await store.putComparison({ entry: { ...entry, jobId: job.id }, paths });
    onChanged(id);
    return { comparisonId: id, jobId: job.id };
  }

  /** Newest first. */
  list(): Promise<readonly ComparisonEntry[]> {
    return this.#parts.store.listComparisons();
  }

  /** Throws NotFound. */
  async get(id: ComparisonId): Promise<ComparisonRecord> {
    const { entry } = await this.#input(id);
    return { ...entry, result: await this.#parts.store.getComparisonResult(id) };
  }

  /** Throws NotFound. */
  async cell(id: ComparisonId, task: string, backbone: string, cut: string): Promise<ComparisonCell> {
    const cell = await this.#parts.store.getComparisonCell(id, String(task), String(backbone), String(cut));
    if (cell === null) throw new AppError('NotFound', 'This comparison has no such score.');
    return cell;
  }

  async remove(id: ComparisonId, queue: JobQueue): Promise<void> {
    const { entry } = await this.#input(id);
    if (entry.jobId !== null && queue.get(entry.jobId) !== null) await queue.cancel(entry.jobId);
    await this.#parts.store.removeComparison(id);
    await this.#forget(id);
    this.#parts.onChanged(id);
  }

  /** A picture of an image of its tasks, as it was compared. Throws NotFound where there is none, or it has changed. */
  async patch(id: ComparisonId, sha256: string, maxPx: number): Promise<EncodedImage> {
    const paths = await this.#pathsOf(id);
    const path = paths.get(sha256);
    if (path === undefined) throw new AppError('NotFound', 'This comparison has no such image.');
    return await patchPicture(path, sha256, maxPx);
  }

  /** The files a comparison can be exported as. Throws NotFound, InvalidRequest before it is finished. */
  files(id: ComparisonId): Promise<readonly string[]> {
    return this.#files.names(id);
  }

  /** One of its files, or all in one archive. Throws NotFound, DiskFull. */
  export(id: ComparisonId, fileName: string | null): Promise<ExportedFile> {
    return this.#files.export(id, fileName);
  }

  async close(): Promise<void> {
    await this.#files.close();
  }

  async #run(id: ComparisonId, context: JobContext): Promise<void> {
    const { store, library, backbones, device, storeFolder } = this.#parts;
    const { entry, paths } = await this.#input(id);
    const chosen = await Promise.all(
      entry.backbones.map(async ({ backboneId, cuts }) => {
        const { card, modelPath } = await backbones.use(backboneId, null);
        return { card, modelPath, cuts: chooseCuts(card, cuts.length === 0 ? null : cuts.join('+')) };
      }),
    );
    const slides = await Promise.all(
      entry.slides.map(async (slideId) => {
        // Refuses a file that is gone or another one by now.
        await library.source(slideId);
        const { path, userMppUm } = await library.record(slideId);
        return { path, mppUm: userMppUm };
      }),
    );
    const cutStudies = await this.#trainCuts(entry, paths, chosen, context);
    const { threads } = device;
    const { settings } = entry;
    const {
      result: compared,
      fingerprints,
      tasks,
      cells,
    } = await compareInWorker(
      { paths, backbones: workOf(chosen), slides, settings, cacheFolder: join(storeFolder, 'compare'), threads },
      context.signal,
      (progress) => context.report(progress),
    );
    const result =
      cutStudies === null ? compared : { ...compared, truncation: truncationOf(chosen, cutStudies, compared) };
    const made = {
      ...{ finishedAtMs: Date.now(), device: 'CPU', threads, versions: versions(), tasks: fingerprints },
    };
    // Read anew: the job's id has been added since.
    const { entry: latest } = await this.#input(id);
    await store.finishComparison({ ...latest, made }, result, tasks, cells);
    await this.#forget(id);
    this.#parts.onChanged(id);
  }

  async #slideStudy(id: StudyId) {
    const study = await this.#parts.studies.get(id);
    checkTruncatable(study.plan);
    return study;
  }

  /** The slide side of a truncation study, before the patches: it is the longer one, and stored as it goes. */
  async #trainCuts(
    entry: ComparisonEntry,
    paths: readonly string[],
    chosen: readonly CompareBackbone[],
    context: JobContext,
  ): Promise<TrainedCuts | null> {
    if (entry.truncation === undefined) return null;
    const { store, studies, extraction } = this.#parts;
    const { plan } = await this.#slideStudy(entry.truncation.slideStudyId);
    const of = { plan, name: entry.name, backbones: chosen };
    return await trainEveryCut(
      { store, studies, extraction: extraction() },
      of,
      entry.truncation.studies,
      async (study) => {
        const { entry: latest } = await this.#input(entry.id);
        const { truncation } = latest;
        if (truncation === undefined) return;
        const kept = { ...truncation, studies: [...truncation.studies, study] };
        await store.putComparison({ entry: { ...latest, truncation: kept }, paths });
      },
      context,
    );
  }

  async #input(id: ComparisonId) {
    const found = await this.#parts.store.getComparison(id);
    if (found === null) throw new AppError('NotFound', 'This comparison no longer exists.');
    return found;
  }

  #pathsOf(id: ComparisonId): Promise<ReadonlyMap<string, string>> {
    const known = this.#pathsByHash.get(id);
    if (known !== undefined) return known;
    const reading = this.#parts.store
      .listComparedTasks(id)
      .then(
        (tasks) => new Map(tasks.flatMap(({ images }) => images.map(({ sha256, path }) => [sha256, path] as const))),
      );
    this.#pathsByHash.set(id, reading);
    reading.catch(() => this.#pathsByHash.delete(id));
    return reading;
  }

  async #forget(id: ComparisonId): Promise<void> {
    this.#pathsByHash.delete(id);
    await this.#files.forget(id);
  }
}

/** As the comparison's thread takes them. */
function workOf(chosen: readonly CompareBackbone[]): CompareWork['backbones'] {
  return chosen.map(({ card, modelPath, cuts }) => ({ card, modelPath, cuts: cuts.map(({ name }) => name) }));
}
