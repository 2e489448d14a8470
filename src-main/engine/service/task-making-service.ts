import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../../src-shared/errors.ts';
import type { JobId } from '../../../src-shared/model/ids.ts';
import type { MadePatchTask, TaskConversion, TaskMakingRequest } from '../../../src-shared/model/task-making.ts';
import { findAnnotated } from '../compare/convert/find-annotated.ts';
import { type Conversion, type MadeTask, makeTask } from '../compare/convert/make-task.ts';
import type { JobContext, JobQueue, JobRunner } from '../job/queue.ts';
import { checkedMaking } from './checked-comparison.ts';
import type { Grants } from './grants.ts';

export interface TaskMakingParts {
  readonly storeFolder: string;
  readonly grants: Grants;
}

interface Payload {
  readonly request: Omit<TaskMakingRequest, 'images' | 'annotations'>;
  readonly imagesPath: string;
  readonly annotationsPath: string | null;
}

/** Patch tasks cut from annotated images, each in a folder of the store's `tasks/`. */
export class TaskMakingService {
  readonly #parts: TaskMakingParts;
  /** What the jobs of this session have made. */
  readonly #made = new Map<JobId, MadePatchTask>();

  constructor(parts: TaskMakingParts) {
    this.#parts = parts;
  }

  /** Begins anew each time: the same images, settings and seed make the same task. */
  readonly runner: JobRunner = {
    lane: 'tasks',
    resumable: true,
    run: (payload, context) => this.#make(payload as Payload, context),
  };

  /** Throws InvalidRequest for settings that make no sense or a name that is taken; NotAllowed, NotFound. */
  async start({ images, annotations, ...given }: TaskMakingRequest, queue: JobQueue) {
    const request = checkedMaking(given);
    const payload: Payload = {
      request,
      imagesPath: this.#parts.grants.redeem(images),
      annotationsPath: annotations === null ? null : this.#parts.grants.redeem(annotations),
    };
    await this.#refuseTaken(request.name);
    // Before a job is queued: a wrong folder is better told at once.
    await findAnnotated(payload.imagesPath, payload.annotationsPath);
    const title = `Task ${request.name}`;
    const job = await queue.enqueue({ kind: 'make-task', title, slideId: null, runId: null, payload });
    return { jobId: job.id };
  }

  /** Throws NotFound for a job of another session, or one that has made nothing. */
  made(jobId: JobId): MadePatchTask {
    const made = this.#made.get(jobId);
    if (made !== undefined) return made;
    throw new AppError('NotFound', 'This task was made in another session, or not to its end.', {
      advice: 'Choose its folder: it lies in the store, below tasks.',
    });
  }

  async #make({ request, imagesPath, annotationsPath }: Payload, context: JobContext): Promise<void> {
    const { images, without } = await findAnnotated(imagesPath, annotationsPath);
    await this.#refuseTaken(request.name);
    const unfinished = join(this.#folder, `.${request.name}.part`);
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    try {
      const task = await makeTask({
        ...{ images, folder: unfinished, conversion: conversionOf(request.conversion), seed: request.seed },
        ...{ mostBackground: request.mostBackground, mostPerClass: request.mostPerClass, split: null },
        signal: context.signal,
        onProgress: (done, total) => context.report({ stage: 'Cutting images', done, total, unit: 'images' }),
      });
      const folder = join(this.#folder, request.name);
      await rename(unfinished, folder);
      this.#made.set(context.jobId, this.#summary(request.name, folder, task, without));
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  }

  #summary(
    name: string,
    folder: string,
    { patches, classes, groups, background, leftOut }: MadeTask,
    without: readonly string[],
  ): MadePatchTask {
    const unannotated = without.map((image) => ({ image, reason: 'It has no annotation of its name.' }));
    return {
      grant: this.#parts.grants.give(folder),
      ...{ name, patches, classes, groups, background, leftOut: [...leftOut, ...unannotated] },
    };
  }

  async #refuseTaken(name: string): Promise<void> {
    if ((await stat(join(this.#folder, name)).catch(() => null)) === null) return;
    throw new AppError('InvalidRequest', `There is a task called ${name} already.`, {
      advice: 'Give the new one another name: results stay with the patches they come from.',
    });
  }

  get #folder(): string {
    return join(this.#parts.storeFolder, 'tasks');
  }
}

function conversionOf(conversion: TaskConversion): Conversion {
  if (conversion.kind !== 'central') return conversion;
  return { ...conversion, names: new Map(conversion.names.map(({ value, name }) => [value, name])) };
}
