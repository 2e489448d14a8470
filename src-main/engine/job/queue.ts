import { randomUUID } from 'node:crypto';
import { AppError } from '../../../src-shared/errors.ts';
import type { JobId, RunId, SlideId } from '../../../src-shared/model/ids.ts';
import { asId } from '../../../src-shared/model/ids.ts';
import type { Job, JobKind, JobProgress, JobState, QueueMove, QueueState } from '../../../src-shared/model/job.ts';
import type { JobRecord, Store } from '../store/store.ts';
import { type ExecutionOptions, JobExecution, type LiveJob, liveJob } from './execution.ts';
import { byOrder, orderOf, placesAfterMove } from './order.ts';
import { NO_PROGRESS } from './progress.ts';
import { restoreJobs } from './restore.ts';
import type { JobRunner } from './runner.ts';

export type { JobContext, JobRunner } from './runner.ts';

export interface JobRequest {
  readonly kind: JobKind;
  /** For the user: what is done, to what. */
  readonly title: string;
  readonly slideId: SlideId | null;
  readonly runId: RunId | null;
  /** JSON-safe; everything the runner needs, also after a restart. */
  readonly payload: unknown;
  /** How much of it is done and how much there is, where that is known before it starts. */
  readonly size?: Pick<JobProgress, 'done' | 'total' | 'unit'>;
}

export interface JobQueueOptions extends ExecutionOptions {
  readonly store: Pick<Store, 'putJob' | 'listJobs' | 'removeJob' | 'getSetting' | 'setSetting'>;
  /** Whether background jobs of earlier sessions go on by themselves; no by default. */
  readonly goesOn?: boolean;
}

const PAUSED_SETTING = 'queue.paused';
const ENDED: ReadonlySet<JobState> = new Set(['done', 'failed', 'cancelled', 'interrupted']);

/**
 * Jobs of this process, kept in the store so that a restart knows them. States: queued -> running -> done, failed or
 * cancelled; what a kill or a closing leaves queued or running is `interrupted` at the next start. Ended jobs that are
 * resumable go back to queued by `resume`.
 * Background jobs wait behind all others, give way to them and can be paused as a whole.
 */
export class JobQueue {
  private readonly options: JobQueueOptions;
  private readonly execution: JobExecution;
  private readonly entries = new Map<JobId, LiveJob>();
  private readonly busyLanes = new Set<string>();
  private closing = false;
  private paused: boolean;

  /** Use `openJobQueue`. */
  constructor(options: JobQueueOptions, stored: readonly JobRecord[], paused: boolean) {
    this.options = options;
    this.execution = new JobExecution(options);
    this.paused = paused;
    for (const { job, payloadJson } of stored) this.entries.set(job.id, liveJob(job, payloadJson));
    this.startNext();
  }

  get state(): QueueState {
    return { paused: this.paused };
  }

  /**
   * Stops background jobs from starting, or lets them go on; kept over a restart. The one that runs goes back to its
   * place with its work kept. @throws AppError DiskFull, StoreReadOnly
   */
  async setPaused(paused: boolean): Promise<void> {
    await this.options.store.setSetting(PAUSED_SETTING, String(paused));
    this.paused = paused;
    this.options.emit({ type: 'queue', queue: this.state });
    if (paused) await this.sendBack(({ runner }) => runner.background === true);
    this.startNext();
  }

  /** Puts a waiting job elsewhere in the queue; kept over a restart. Nothing happens to one that does not wait. @throws AppError NotFound */
  async move(id: JobId, move: QueueMove): Promise<void> {
    const entry = this.require(id);
    const waiting = this.waiting().filter(({ job }) => job.kind === entry.job.kind);
    const at = waiting.indexOf(entry);
    for (const { index, order } of placesAfterMove(
      waiting.map(({ job }) => job),
      at,
      move,
    )) {
      const moved = waiting[index];
      if (moved === undefined) continue;
      moved.job = { ...moved.job, order };
      await this.execution.persist(moved);
      this.options.emit({ type: 'job', job: moved.job });
    }
  }

  /** Newest first. */
  list(): readonly Job[] {
    return [...this.entries.values()].map(({ job }) => job).sort((a, b) => b.createdAtMs - a.createdAtMs);
  }

  get(id: JobId): Job | null {
    return this.entries.get(id)?.job ?? null;
  }

  /** The queued or running job that makes this run, or null. */
  activeJobOf(runId: RunId): Job | null {
    return this.list().find((job) => job.runId === runId && !ENDED.has(job.state)) ?? null;
  }

  /**
   * Adds a job; it starts when its lane is free.
   * @throws AppError DiskFull, StoreReadOnly: the job is not there then.
   */
  async enqueue(request: JobRequest): Promise<Job> {
    this.refuseWhenClosing();
    const entry = this.newEntry(request);
    await this.options.store.putJob({ job: entry.job, payloadJson: entry.payloadJson });
    this.entries.set(entry.job.id, entry);
    this.options.emit({ type: 'job', job: entry.job });
    void this.makeWayFor(entry);
    this.startNext();
    return entry.job;
  }

  /** Keeps a job that cannot be done as it stands, with the reason; `resume` tries it again. Throws as `enqueue`. */
  async enqueueFailed(request: JobRequest, reason: unknown): Promise<Job> {
    this.refuseWhenClosing();
    const entry = this.newEntry(request);
    this.entries.set(entry.job.id, entry);
    await this.execution.end(entry, 'failed', reason);
    return entry.job;
  }

  /** Stops a job; resolves when it has ended. Nothing happens to one that has ended already. @throws AppError NotFound */
  async cancel(id: JobId): Promise<void> {
    const entry = this.require(id);
    entry.givesWay = false;
    if (entry.job.state === 'queued') await this.execution.end(entry, 'cancelled', null);
    entry.controller?.abort(new AppError('Cancelled', 'The job was cancelled.'));
    await entry.settled;
  }

  /** Stops several jobs; none of them starts meanwhile. Unknown ones are passed over. */
  async cancelAll(ids: readonly JobId[]): Promise<void> {
    const known = ids.filter((id) => this.entries.has(id));
    const waits = (id: JobId): boolean => this.get(id)?.state === 'queued';
    for (const id of known.filter(waits)) await this.cancel(id);
    await Promise.all(known.map((id) => this.cancel(id)));
  }

  /** Stops jobs and takes them off the list; what they made stays. Unknown ones are passed over. */
  async remove(ids: readonly JobId[]): Promise<void> {
    if (ids.length === 0) return;
    await this.cancelAll(ids);
    for (const id of ids) {
      this.entries.delete(id);
      await this.options.store.removeJob(id);
    }
    this.options.emit({ type: 'jobs-removed', jobIds: ids });
  }

  /** Queues an ended job again, behind what waits. @throws AppError NotFound, JobNotResumable, DiskFull, StoreReadOnly */
  async resume(id: JobId): Promise<Job> {
    this.refuseWhenClosing();
    const entry = this.require(id);
    const { job, payloadJson } = entry;
    if (!job.resumable) {
      throw new AppError('JobNotResumable', 'This job cannot be continued.', {
        advice: ENDED.has(job.state) ? 'Start it again from the slide.' : 'It has not ended yet.',
        detail: `job ${id}, ${job.state}`,
      });
    }
    const { kills: _, ...rest } = job;
    const order = this.nextOrder();
    const queued: Job = { ...rest, state: 'queued', error: null, finishedAtMs: null, resumable: false, order };
    await this.options.store.putJob({ job: queued, payloadJson });
    const again = liveJob(queued, payloadJson);
    this.entries.set(id, again);
    this.options.emit({ type: 'job', job: queued });
    void this.makeWayFor(again);
    this.startNext();
    return queued;
  }

  /** Cancels and removes every job of a slide: before the slide is forgotten. */
  async removeJobsOf(slideId: SlideId): Promise<void> {
    await this.remove(this.list().flatMap((job) => (job.slideId === slideId ? [job.id] : [])));
  }

  /** Stops everything and leaves it resumable; resolves when no runner is at work. Call before the store is closed. */
  async close(): Promise<void> {
    this.closing = true;
    const active = [...this.entries.values()].filter(({ job }) => !ENDED.has(job.state));
    for (const { controller } of active) controller?.abort(new AppError('Cancelled', 'Hyaline is closing.'));
    await Promise.all(
      active.map((entry) => {
        if (entry.job.state !== 'queued') return entry.settled;
        return this.goesOnLater(entry) ? undefined : this.execution.end(entry, 'interrupted', null);
      }),
    );
  }

  /** Whether a job that is stopped by the end of this process waits for the next one as it is. */
  private goesOnLater({ job }: LiveJob): boolean {
    return this.options.goesOn === true && this.options.runners[job.kind].background === true;
  }

  private require(id: JobId): LiveJob {
    const entry = this.entries.get(id);
    if (entry !== undefined) return entry;
    throw new AppError('NotFound', 'This job is not known any more.', { detail: `job ${id}` });
  }

  private refuseWhenClosing(): void {
    if (this.closing) throw new AppError('Cancelled', 'Hyaline is closing.');
  }

  /** Later than every job's, so that the order of jobs made in one millisecond is kept. */
  private nextTimeMs(): number {
    return [...this.entries.values()].reduce((time, { job }) => Math.max(time, job.createdAtMs + 1), Date.now());
  }

  private nextOrder(): number {
    return [...this.entries.values()].reduce((order, { job }) => Math.max(order, orderOf(job) + 1), Date.now());
  }

  private newEntry({ payload, size, ...facts }: JobRequest): LiveJob {
    const job: Job = {
      ...facts,
      id: asId<JobId>(randomUUID()),
      state: 'queued',
      progress: { ...NO_PROGRESS, ...size },
      error: null,
      createdAtMs: this.nextTimeMs(),
      finishedAtMs: null,
      resumable: false,
      order: this.nextOrder(),
    };
    return liveJob(job, JSON.stringify(payload));
  }

  /** Jobs that wait, next first: those in the background behind all others. */
  private waiting(): readonly LiveJob[] {
    const behind = ({ job }: LiveJob): number => Number(this.options.runners[job.kind].background === true);
    return [...this.entries.values()]
      .filter(({ job }) => job.state === 'queued')
      .sort((a, b) => behind(a) - behind(b) || byOrder(a.job, b.job));
  }

  /** Stops what is in the background on the lane of a job that is not. */
  private async makeWayFor({ job }: LiveJob): Promise<void> {
    const { lane, background } = this.options.runners[job.kind];
    if (background === true) return;
    await this.sendBack(({ runner }) => runner.background === true && runner.lane === lane);
  }

  /** Stops running jobs that go back to their places in the queue; resolves when they have stopped. */
  private async sendBack(chosen: (running: { readonly runner: JobRunner }) => boolean): Promise<void> {
    const running = [...this.entries.values()].filter(
      ({ job, controller }) => controller !== null && chosen({ runner: this.options.runners[job.kind] }),
    );
    for (const entry of running) {
      if (entry.controller?.signal.aborted === true) continue;
      entry.givesWay = true;
      entry.controller?.abort(new AppError('Cancelled', 'The job makes way for another.'));
    }
    await Promise.all(running.map(({ settled }) => settled));
  }

  private startNext(): void {
    if (this.closing) return;
    for (const entry of this.waiting()) {
      const runner = this.options.runners[entry.job.kind];
      if (this.busyLanes.has(runner.lane) || (this.paused && runner.background === true)) continue;
      this.busyLanes.add(runner.lane);
      entry.settled = this.execution
        .run(entry, (stopped) => this.stateWhenStopped(stopped))
        .finally(() => {
          this.busyLanes.delete(runner.lane);
          this.startNext();
        });
    }
  }

  private stateWhenStopped(entry: LiveJob): JobState {
    if (this.closing) return this.goesOnLater(entry) ? 'queued' : 'interrupted';
    return entry.givesWay ? 'queued' : 'cancelled';
  }
}

/**
 * The queue with the jobs of earlier sessions: those a kill left queued or running become `interrupted` (background jobs
 * go on by themselves where `goesOn` says so), and all but the last hundred ended ones are removed; background jobs that
 * were left out or paused stay. On a read-only store they are shown so without being written.
 */
export async function openJobQueue(options: JobQueueOptions): Promise<JobQueue> {
  const { store, runners, goesOn = false } = options;
  const paused = (await store.getSetting(PAUSED_SETTING)) === 'true';
  return new JobQueue(options, await restoreJobs(store, runners, goesOn), paused);
}
