import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../../../src-shared/errors.ts';
import { type Catalogue, type CatalogueItem, MIRROR_SETTING } from '../../../src-shared/model/backbone.ts';
import type { JobId } from '../../../src-shared/model/ids.ts';
import type { Job } from '../../../src-shared/model/job.ts';
import { CATALOGUE, type CatalogueEntry, catalogueFileName } from '../backbone/catalogue.ts';
import { findCatalogueEntry, findInFolder } from '../backbone/fetch-backbone.ts';
import type { JobQueue, JobRunner } from '../job/queue.ts';
import type { Store } from '../store/store.ts';
import type { BackboneService } from './backbones.ts';

export interface CatalogueParts {
  readonly backbones: Pick<BackboneService, 'folder' | 'download'>;
  readonly store: Pick<Store, 'getSetting' | 'setSetting'>;
  /** Stands in for the servers whatever the user's setting says; null = the setting. */
  readonly mirror: string | null;
  /** Address of another Hugging Face hub; null = its own. */
  readonly hubUrl: string | null;
  readonly onRegistered: () => void;
}

const payloadSchema = z.object({ name: z.string(), mirror: z.string().nullable() });

/** The public checkpoints, fetched as jobs: the only part of the engine that uses the network. */
export class CatalogueService {
  readonly #parts: CatalogueParts;

  constructor(parts: CatalogueParts) {
    this.#parts = parts;
  }

  readonly runner: JobRunner = {
    lane: 'download',
    resumable: true,
    run: async (payload, { signal, report }) => {
      const { name, mirror } = payloadSchema.parse(payload);
      const { backbones, hubUrl, onRegistered } = this.#parts;
      report({ stage: 'Connecting', done: 0, total: 0 });
      await backbones.download({
        ...{ name, mirror, signal, downloadFolder: this.#folder },
        ...(hubUrl === null ? {} : { hubUrl }),
        onProgress: (done, total) => report({ stage: 'Downloading', done, total: total ?? 0, unit: 'bytes' }),
        onFetched: () => report({ stage: 'Building the network', done: 0, total: 0 }),
      });
      onRegistered();
    },
  };

  /** The entries with where they would come from now. Uses no network. */
  async list(queue: JobQueue): Promise<Catalogue> {
    const mirror = await this.#mirror();
    const items = CATALOGUE.map(async (entry): Promise<CatalogueItem> => {
      const { name, architecture, origin, method, licence, page, gated = false, unchecked = '' } = entry;
      const inMirror = isFolder(mirror) ? (await findInFolder(mirror, entry)) !== null : null;
      return {
        ...{ name, architecture, origin, method, licence, page, gated, unchecked, inMirror },
        server: this.#server(entry, mirror),
        fileName: catalogueFileName(entry),
        jobId: jobOf(queue, name)?.id ?? null,
      };
    });
    return { mirror: mirror ?? '', items: await Promise.all(items) };
  }

  /** Has a folder stand in for the servers from now on. Throws NotAllowed where the path is none. */
  async takeFrom(folder: string): Promise<void> {
    if (!(await stat(folder).catch(() => null))?.isDirectory()) {
      throw new AppError('NotAllowed', 'This is not a folder.', {
        advice: 'Choose the folder that holds a folder for each checkpoint.',
      });
    }
    await this.#parts.store.setSetting(MIRROR_SETTING, folder);
  }

  /** Begins to fetch a checkpoint, or goes on where an earlier attempt stopped. Throws NotFound. */
  async start(name: string, queue: JobQueue): Promise<JobId> {
    findCatalogueEntry(name);
    const mirror = await this.#mirror();
    const earlier = jobOf(queue, name);
    if (earlier !== null && !earlier.resumable) return earlier.id;
    // A new job: where it comes from may have changed since. What has arrived is continued all the same.
    if (earlier !== null) await queue.remove([earlier.id]);
    const payload: z.infer<typeof payloadSchema> = { name, mirror };
    const job = await queue.enqueue({ kind: 'download', title: titleOf(name), slideId: null, runId: null, payload });
    return job.id;
  }

  /** Stops fetching a checkpoint and removes what has arrived. Throws NotFound. */
  async discard(name: string, queue: JobQueue): Promise<void> {
    findCatalogueEntry(name);
    const job = jobOf(queue, name);
    if (job !== null) await queue.remove([job.id]);
    await rm(join(this.#folder, name), { recursive: true, force: true });
  }

  get #folder(): string {
    return join(this.#parts.backbones.folder, 'downloads');
  }

  async #mirror(): Promise<string | null> {
    return this.#parts.mirror ?? ((await this.#parts.store.getSetting(MIRROR_SETTING))?.trim() || null);
  }

  #server({ from }: CatalogueEntry, mirror: string | null): string {
    if (isFolder(mirror)) return '';
    if (mirror !== null) return hostOf(mirror);
    return from.kind === 'hub' ? hostOf(this.#parts.hubUrl ?? 'https://huggingface.co') : hostOf(from.url);
  }
}

function isFolder(mirror: string | null): mirror is string {
  return mirror !== null && !/^https?:\/\//.test(mirror);
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

const titleOf = (name: string): string => `Download ${name}`;

/** The job that fetches an entry now, or else the latest that ended before its time. */
function jobOf(queue: JobQueue, name: string): Job | null {
  const own = queue.list().filter((job) => job.kind === 'download' && job.title === titleOf(name));
  return own.find(({ state }) => state === 'queued' || state === 'running') ?? own.find((job) => job.resumable) ?? null;
}
