import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError, hasCode } from '../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import type {
  ComparisonCell,
  ComparisonEntry,
  ComparisonRecord,
  ComparisonRequest,
  TaskCheck,
  TaskSelection,
} from '../../../src-shared/model/comparison-record.ts';
import { asId, type ComparisonId, type JobId, type SlideId } from '../../../src-shared/model/ids.ts';
import { chooseCuts } from '../compare/contenders.ts';
import { writeComparison } from '../compare/write-comparison.ts';
import type { JobContext, JobQueue, JobRunner } from '../job/queue.ts';
import type { EncodedImage } from '../slide/slide-source.ts';
import type { Store } from '../store/store.ts';
import type { BackboneService } from './backbones.ts';
import { checkedSettings } from './checked-comparison.ts';
import { compareInWorker } from './comparison-worker.ts';
import type { DeviceService } from './device-service.ts';
import type { Exports } from './exports.ts';
import type { Grants } from './grants.ts';
import { patchPicture } from './patch-picture.ts';
import type { SlideLibrary } from './slide-library.ts';
import { checkTasksAt } from './task-check.ts';
import { versions } from './versions.ts';
import { zipOf } from './zip-file.ts';

export interface ComparisonParts {
  readonly storeFolder: string;
  readonly store: Store;
  readonly grants: Grants;
  readonly library: SlideLibrary;
  readonly backbones: BackboneService;
  readonly device: DeviceService;
  readonly exportsKept: Exports;
  readonly onChanged: (id: ComparisonId) => void;
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv; charset=utf-8',
  json: 'application/json; charset=utf-8',
  md: 'text/markdown; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
};

interface WrittenFiles {
  readonly folder: string;
  readonly names: readonly string[];
}

/** Comparisons of backbones on patch tasks: computed as jobs, kept with everything that made them, exported. */
export class ComparisonService {
  readonly #parts: ComparisonParts;
  /** Files of comparisons exported in this session. */
  readonly #written = new Map<ComparisonId, Promise<WrittenFiles>>();
  readonly #pathsByHash = new Map<ComparisonId, Promise<ReadonlyMap<string, string>>>();

  constructor(parts: ComparisonParts) {
    this.#parts = parts;
  }

  /** Again with the same payload: features come from the cache, so that it goes on where it stopped. */
  readonly runner: JobRunner = {
    lane: 'inference',
    resumable: true,
    run: (payload, context) => this.#run((payload as { readonly comparisonId: ComparisonId }).comparisonId, context),
  };

  /** What would be compared, and what is wrong with it. Throws NotAllowed, NotFound, InvalidRequest. */
  async check({ grants, crossValidate, ungrouped }: TaskSelection): Promise<readonly TaskCheck[]> {
    const paths = grants.map((grant) => this.#parts.grants.redeem(grant));
    return await checkTasksAt(paths, { crossValidate: crossValidate === true, ungrouped: ungrouped.map(String) });
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
        return { backboneId, name: card.name, cuts: cutsOf(card, cuts) };
      }),
    );
    const slides = settings.robustnessImages === 0 ? [] : request.slides.map(String).map(asId<SlideId>);
    for (const slideId of slides) await library.get(slideId);
    refuseTwins(chosen.map(({ name }) => name));
    const id = asId<ComparisonId>(randomUUID());
    const name = String(request.name).trim() || 'Comparison';
    const entry: ComparisonEntry = {
      ...{ id, name, createdAtMs: Date.now(), jobId: null, settings, made: null },
      taskSources: paths.map((path) => basename(path)),
      backbones: chosen,
      slides,
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

  /** The files a comparison can be exported as. Throws NotFound. */
  async files(id: ComparisonId): Promise<readonly string[]> {
    return (await this.#write(id)).names;
  }

  /** One of its files, or all in one archive. Throws NotFound, DiskFull. */
  async export(id: ComparisonId, fileName: string | null) {
    const { entry } = await this.#input(id);
    const { folder, names } = await this.#write(id);
    const stem = entry.name.replaceAll(/[^\w.-]+/g, '-').slice(0, 80) || 'comparison';
    if (fileName === null) {
      const files = await Promise.all(names.map(async (name) => ({ name, bytes: await readFile(join(folder, name)) })));
      return await this.#parts.exportsKept.add(`${stem}.zip`, 'application/zip', zipOf(files));
    }
    if (!names.includes(fileName)) throw new AppError('NotFound', 'This comparison has no such file.');
    const mediaType = MEDIA_TYPES[fileName.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
    const bytes = await readFile(join(folder, fileName));
    return await this.#parts.exportsKept.add(`${stem}-${fileName}`, mediaType, bytes);
  }

  async close(): Promise<void> {
    await rm(this.#exportFolder, { recursive: true, force: true });
  }

  async #run(id: ComparisonId, context: JobContext): Promise<void> {
    const { store, library, backbones, device, storeFolder } = this.#parts;
    const { entry, paths } = await this.#input(id);
    const chosen = await Promise.all(
      entry.backbones.map(async ({ backboneId, cuts }) => {
        const { card, modelPath } = await backbones.use(backboneId, null);
        return { card, modelPath, cuts };
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
    const { threads } = device;
    const { settings } = entry;
    const { result, fingerprints, tasks, cells } = await compareInWorker(
      { paths, backbones: chosen, slides, settings, cacheFolder: join(storeFolder, 'compare'), threads },
      context.signal,
      (progress) => context.report(progress),
    );
    const made = {
      ...{ finishedAtMs: Date.now(), device: 'CPU', threads, versions: versions(), tasks: fingerprints },
    };
    // Read anew: the job's id has been added since.
    const { entry: latest } = await this.#input(id);
    await store.finishComparison({ ...latest, made }, result, tasks, cells);
    await this.#forget(id);
    this.#parts.onChanged(id);
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

  #write(id: ComparisonId): Promise<WrittenFiles> {
    const known = this.#written.get(id);
    if (known !== undefined) return known;
    const writing = this.#writeNow(id);
    this.#written.set(id, writing);
    writing.catch(() => this.#written.delete(id));
    return writing;
  }

  async #writeNow(id: ComparisonId): Promise<WrittenFiles> {
    const { result } = await this.get(id);
    if (result === null) {
      throw new AppError('InvalidRequest', 'This comparison is not finished yet.', { advice: 'Let it finish first.' });
    }
    const folder = join(this.#exportFolder, id);
    try {
      return { folder, names: await writeComparison(result, folder) };
    } catch (cause) {
      if (hasCode(cause, 'DiskFull')) throw cause;
      throw new AppError('DiskFull', 'The files of this comparison could not be written.', {
        advice: 'Free some space on the disk that holds the store, then export again.',
        detail: String(cause),
        cause,
      });
    }
  }

  async #forget(id: ComparisonId): Promise<void> {
    this.#written.delete(id);
    this.#pathsByHash.delete(id);
    await rm(join(this.#exportFolder, id), { recursive: true, force: true });
  }

  get #exportFolder(): string {
    return join(this.#parts.storeFolder, 'exports', 'comparisons');
  }
}

/** The names of the cuts, checked; none stay none. Throws NotFound for a cut the backbone does not have. */
function cutsOf(card: BackboneCard, cuts: readonly string[]): readonly string[] {
  const names = cuts.map(String);
  if (names.length > 0) chooseCuts(card, names.join('+'));
  return names;
}

function refuseTwins(names: readonly string[]): void {
  if (names.length === 0) {
    throw new AppError('InvalidRequest', 'There is no backbone to compare.', { advice: 'Choose at least one.' });
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return;
  throw new AppError('InvalidRequest', `Two backbones are called ${twice}.`, { advice: 'Rename one of them.' });
}
