import { randomUUID } from 'node:crypto';
import type { EngineEvent } from '../../../src-shared/api/events.ts';
import { AppError, toErrorPayload } from '../../../src-shared/errors.ts';
import type { JobId, RunId, SlideId } from '../../../src-shared/model/ids.ts';
import { asId } from '../../../src-shared/model/ids.ts';
import type { Job, JobKind, JobState } from '../../../src-shared/model/job.ts';
import type { JobRecord, Store } from '../store/store.ts';
import { NO_PROGRESS, ProgressMeter, type ProgressReport } from './progress.ts';
import { Throttle } from './throttle.ts';

/** What a runner is given. */
export interface JobContext {
  readonly jobId: JobId;
  /** Aborted when the job is cancelled or the engine closes: stop soon, leave what is stored whole, and reject. */
  readonly signal: AbortSignal;
  /** Says how far the job is. May be called as often as is handy: events are throttled. */
  report(progress: ProgressReport): void;
}

/** How jobs of one kind are done. */
export interface JobRunner {
  /** Jobs of one lane run one at a time, in the order they were enqueued; lanes run beside each other. */
  readonly lane: string;
  /** True where running it again with the same payload continues from what is stored. */
  readonly resumable: boolean;
  /** Does the job. The payload is what was enqueued, gone through JSON once. */
  run(payload: unknown, context: JobContext): Promise<void>;
}

export interface JobRequest {
  readonly kind: JobKind;
  /** For the user: what is done, to what. */
  readonly title: string;
  readonly slideId: SlideId | null;
  readonly runId: RunId | null;
  /** JSON-safe; everything the runner needs, also after a restart. */
  readonly payload: unknown;
}

export interface JobQueueOptions {
  readonly store: Pick<Store, 'putJob' | 'listJobs' | 'removeJob'>;
  readonly runners: Readonly<Record<JobKind, JobRunner>>;
  readonly emit: (event: EngineEvent) => void;
  /** Milliseconds between `job` events of one job; 200 by default. */
  readonly eventMs?: number;
}

const EVENT_MS = 200;
const PERSIST_MS = 2000;
const KEPT_ENDED = 100;
const ENDED: ReadonlySet<JobState> = new Set(['done', 'failed', 'cancelled', 'interrupted']);

/** A job as the queue holds it while it is alive. */
interface Entry {
  job: Job;
  readonly payloadJson: string;
  controller: AbortController | null;
  /** Settles when the job has left `running`. */
  settled: Promise<void>;
}

/**
 * Jobs of this process, kept in the store so that a restart knows them. States: queued -> running -> done, failed or
 * cancelled; what a kill or a closing leaves queued or running is `interrupted` at the next start. Ended jobs that are
 * resumable go back to queued by `resume`.
 */
export class JobQueue {
  private readonly options: JobQueueOptions;
  private readonly entries = new Map<JobId, Entry>();
  private readonly busyLanes = new Set<string>();
  private closing = false;

  /** Use `openJobQueue`. */
  constructor(options: JobQueueOptions, stored: readonly JobRecord[]) {
    this.options = options;
    for (const { job, payloadJson } of stored) {
      this.entries.set(job.id, { job, payloadJson, controller: null, settled: Promise.resolve() });
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
    const { payload, ...facts } = request;
    const job: Job = {
      ...facts,
      id: asId<JobId>(randomUUID()),
      state: 'queued',
      progress: NO_PROGRESS,
      error: null,
      createdAtMs: this.nextTimeMs(),
      finishedAtMs: null,
      resumable: false,
    };
    const entry: Entry = { job, payloadJson: JSON.stringify(payload), controller: null, settled: Promise.resolve() };
    await this.options.store.putJob({ job, payloadJson: entry.payloadJson });
    this.entries.set(job.id, entry);
    this.options.emit({ type: 'job', job });
    this.startNext();
    return job;
  }

  /** Stops a job; resolves when it has ended. Nothing happens to one that has ended already. @throws AppError NotFound */
  async cancel(id: JobId): Promise<void> {
    const entry = this.require(id);
    if (entry.job.state === 'queued') await this.end(entry, 'cancelled', null);
    entry.controller?.abort(new AppError('Cancelled', 'The job was cancelled.'));
    await entry.settled;
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
    const queued: Job = { ...job, state: 'queued', error: null, finishedAtMs: null, resumable: false };
    await this.options.store.putJob({ job: queued, payloadJson });
    this.entries.delete(id);
    this.entries.set(id, { ...entry, job: queued });
    this.options.emit({ type: 'job', job: queued });
    this.startNext();
    return queued;
  }

  /** Cancels and removes every job of a slide: before the slide is forgotten. */
  async removeJobsOf(slideId: SlideId): Promise<void> {
    const ids = this.list().flatMap((job) => (job.slideId === slideId ? [job.id] : []));
    await Promise.all(ids.map((id) => this.cancel(id)));
    for (const id of ids) {
      this.entries.delete(id);
      await this.options.store.removeJob(id);
    }
  }

  /** Stops everything and leaves it resumable; resolves when no runner is at work. Call before the store is closed. */
  async close(): Promise<void> {
    this.closing = true;
    const active = [...this.entries.values()].filter(({ job }) => !ENDED.has(job.state));
    for (const { controller } of active) controller?.abort(new AppError('Cancelled', 'Hyaline is closing.'));
    await Promise.all(
      active.map((entry) => (entry.job.state === 'queued' ? this.end(entry, 'interrupted', null) : entry.settled)),
    );
  }

  private require(id: JobId): Entry {
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

  private startNext(): void {
    if (this.closing) return;
    for (const entry of this.entries.values()) {
      const runner = this.options.runners[entry.job.kind];
      if (entry.job.state !== 'queued' || this.busyLanes.has(runner.lane)) continue;
      this.busyLanes.add(runner.lane);
      entry.settled = this.run(entry, runner).finally(() => {
        this.busyLanes.delete(runner.lane);
        this.startNext();
      });
    }
  }

  private async run(entry: Entry, runner: JobRunner): Promise<void> {
    const controller = new AbortController();
    entry.controller = controller;
    const meter = new ProgressMeter();
    const events = new Throttle(this.options.eventMs ?? EVENT_MS, () => {
      this.options.emit({ type: 'job', job: entry.job });
    });
    const writes = new Throttle(PERSIST_MS, () => void this.persist(entry));
    entry.job = { ...entry.job, state: 'running' };
    events.request();
    writes.request();
    const report = (progress: ProgressReport): void => {
      if (entry.controller !== controller) return;
      entry.job = { ...entry.job, progress: meter.observe(progress, performance.now()) };
      events.request();
      writes.request();
    };
    let state: JobState = 'done';
    let failure: unknown = null;
    try {
      await runner.run(JSON.parse(entry.payloadJson), { jobId: entry.job.id, signal: controller.signal, report });
    } catch (error) {
      state = controller.signal.aborted ? (this.closing ? 'interrupted' : 'cancelled') : 'failed';
      failure = error;
    }
    events.stop();
    writes.stop();
    entry.controller = null;
    await this.end(entry, state, state === 'failed' ? failure : null);
  }

  private async end(entry: Entry, state: JobState, failure: unknown): Promise<void> {
    const { job } = entry;
    entry.job = {
      ...job,
      state,
      progress: { ...job.progress, perSecond: state === 'done' ? job.progress.perSecond : null, secondsLeft: null },
      error: failure === null ? null : toErrorPayload(failure),
      finishedAtMs: Date.now(),
      resumable: state !== 'done' && this.options.runners[job.kind].resumable,
    };
    await this.persist(entry);
    this.options.emit({ type: 'job', job: entry.job });
  }

  /** What the store cannot take now (full disk) is still true in memory; a restart finds the job interrupted. */
  private async persist({ job, payloadJson }: Entry): Promise<void> {
    try {
      await this.options.store.putJob({ job, payloadJson });
    } catch (error) {
      process.stderr.write(`job ${job.id}: its state could not be stored: ${toErrorPayload(error).message}\n`);
    }
  }
}

/**
 * The queue with the jobs of earlier sessions: those a kill left queued or running become `interrupted`, and all but
 * the last hundred ended ones are removed. On a read-only store they are shown so without being written.
 */
export async function openJobQueue(options: JobQueueOptions): Promise<JobQueue> {
  const { store, runners } = options;
  const stored = await store.listJobs();
  const records: JobRecord[] = [];
  for (const [index, record] of stored.entries()) {
    const { job, payloadJson } = record;
    if (!ENDED.has(job.state)) {
      const progress = { ...job.progress, perSecond: null, secondsLeft: null };
      // A kind this version does not know (a store of a newer one) cannot be continued here.
      const runner: JobRunner | undefined = runners[job.kind];
      const interrupted: Job = { ...job, state: 'interrupted', progress, resumable: runner?.resumable ?? false };
      records.push({ job: interrupted, payloadJson });
      await store.putJob({ job: interrupted, payloadJson }).catch(ignoreUnwritable);
    } else if (index < KEPT_ENDED) records.push(record);
    else await store.removeJob(job.id).catch(ignoreUnwritable);
  }
  return new JobQueue(options, records.reverse());
}

function ignoreUnwritable(error: unknown): void {
  if (error instanceof AppError && (error.code === 'StoreReadOnly' || error.code === 'DiskFull')) return;
  throw error;
}
