import { SvelteMap } from 'svelte/reactivity';
import type { JobId, SlideId } from '../../src-shared/model/ids.ts';
import type { Job } from '../../src-shared/model/job.ts';
import { engine } from './session.svelte.ts';
import { shown } from './toasts.svelte.ts';

/** The engine's jobs, kept up to date by its events. */
class Jobs {
  readonly #byId = new SvelteMap<JobId, Job>();
  /** Jobs the user has put away in the tray. */
  readonly #dismissed = new SvelteMap<JobId, true>();
  readonly #onFinished = new Set<(job: Job) => void>();

  /** Newest first, those put away left out. */
  readonly list = $derived(
    [...this.#byId.values()]
      .filter((job) => !this.#dismissed.has(job.id))
      .sort((a, b) => b.createdAtMs - a.createdAtMs),
  );
  readonly active = $derived(this.list.filter(isActive));
  /** Jobs of archives, in the order in which they are done. */
  readonly archive = $derived(
    [...this.#byId.values()]
      .filter(({ kind }) => kind === 'extract')
      .sort((a, b) => (a.order ?? a.createdAtMs) - (b.order ?? b.createdAtMs)),
  );
  /** No archive job may start. */
  paused = $state(false);

  async load(): Promise<void> {
    const [jobs, queue] = await Promise.all([engine.listJobs(), engine.queueState()]);
    this.paused = queue.paused;
    this.#byId.clear();
    for (const job of jobs) this.#byId.set(job.id, job);
  }

  /** Takes a job event in. Calls `onFinished` listeners when the job has just come to an end. */
  take(job: Job): void {
    const before = this.#byId.get(job.id);
    this.#byId.set(job.id, job);
    if (isActive(job)) this.#dismissed.delete(job.id);
    const ended = !isActive(job) && (before === undefined || isActive(before));
    if (ended) for (const listener of this.#onFinished) listener(job);
  }

  /** Takes jobs off the list that the engine no longer knows. */
  drop(ids: readonly JobId[]): void {
    for (const id of ids) this.#byId.delete(id);
  }

  onFinished(listener: (job: Job) => void): void {
    this.#onFinished.add(listener);
  }

  get(id: JobId): Job | null {
    return this.#byId.get(id) ?? null;
  }

  /** The job of a slide that runs, or else the latest one that can be resumed. */
  ofSlide(slideId: SlideId): Job | null {
    const own = this.list.filter((job) => job.slideId === slideId && job.kind === 'analyse');
    const [latest] = own;
    return own.find(isActive) ?? (latest && needsAttention(latest) ? latest : null);
  }

  dismiss(id: JobId): void {
    this.#dismissed.set(id, true);
  }

  async cancel(id: JobId): Promise<void> {
    await shown(() => engine.cancelJob(id));
  }

  async resume(id: JobId): Promise<void> {
    await shown(() => engine.resumeJob(id));
  }
}

export function isActive(job: Job): boolean {
  return job.state === 'queued' || job.state === 'running';
}

/** Ended before its time, and could go on or must be explained. */
export function needsAttention(job: Job): boolean {
  return job.state === 'interrupted' || job.state === 'failed' || (job.state === 'cancelled' && job.resumable);
}

export const jobs = new Jobs();
