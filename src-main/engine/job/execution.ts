import type { EngineEvent } from '../../../src-shared/api/events.ts';
import { toErrorPayload } from '../../../src-shared/errors.ts';
import type { Job, JobKind, JobProgress, JobState } from '../../../src-shared/model/job.ts';
import type { Store } from '../store/store.ts';
import { ProgressMeter, type ProgressReport } from './progress.ts';
import type { JobRunner } from './runner.ts';
import { Throttle } from './throttle.ts';

const EVENT_MS = 200;
const PERSIST_MS = 2000;

/** A job while it is alive. */
export interface LiveJob {
  job: Job;
  readonly payloadJson: string;
  /** Null while no runner is at work on it. */
  controller: AbortController | null;
  /** It was stopped to make way, not cancelled: it goes back to its place in the queue. */
  givesWay: boolean;
  /** Settles when the job has left `running`. */
  settled: Promise<void>;
}

export function liveJob(job: Job, payloadJson: string): LiveJob {
  return { job, payloadJson, controller: null, givesWay: false, settled: Promise.resolve() };
}

export interface ExecutionOptions {
  readonly store: Pick<Store, 'putJob'>;
  readonly runners: Readonly<Record<JobKind, JobRunner>>;
  readonly emit: (event: EngineEvent) => void;
  /** Milliseconds between `job` events of one job; 200 by default. */
  readonly eventMs?: number;
}

/** Takes jobs from `running` to their end; what is seen on the way is told as events and kept in the store. */
export class JobExecution {
  private readonly options: ExecutionOptions;

  constructor(options: ExecutionOptions) {
    this.options = options;
  }

  /** Runs a job. Never rejects. @param stateWhenStopped what a job has become whose signal was aborted in mid-run. */
  async run(live: LiveJob, stateWhenStopped: (live: LiveJob) => JobState): Promise<void> {
    const controller = new AbortController();
    live.controller = controller;
    live.givesWay = false;
    const meter = new ProgressMeter();
    const events = new Throttle(this.options.eventMs ?? EVENT_MS, () => {
      this.options.emit({ type: 'job', job: live.job });
    });
    const writes = new Throttle(PERSIST_MS, () => void this.persist(live));
    live.job = { ...live.job, state: 'running' };
    events.request();
    writes.request();
    const report = (progress: ProgressReport): void => {
      if (live.controller !== controller) return;
      live.job = { ...live.job, progress: meter.observe(progress, performance.now()) };
      events.request();
      writes.request();
    };
    const [startedMs, doneBefore] = [performance.now(), live.job.progress.done];
    let state: JobState = 'done';
    let failure: unknown = null;
    try {
      const runner = this.options.runners[live.job.kind];
      await runner.run(JSON.parse(live.payloadJson), { jobId: live.job.id, signal: controller.signal, report });
    } catch (error) {
      state = controller.signal.aborted ? stateWhenStopped(live) : 'failed';
      failure = error;
    }
    events.stop();
    writes.stop();
    live.controller = null;
    if (state === 'done') live.job = { ...live.job, progress: withSpeed(live.job.progress, doneBefore, startedMs) };
    await this.end(live, state, state === 'failed' ? failure : null);
  }

  /** Ends a job, or puts it back to those that wait. */
  async end(live: LiveJob, state: JobState, failure: unknown): Promise<void> {
    const { job } = live;
    const waits = state === 'queued';
    live.job = {
      ...job,
      state,
      progress: { ...job.progress, perSecond: state === 'done' ? job.progress.perSecond : null, secondsLeft: null },
      error: failure === null ? null : toErrorPayload(failure),
      finishedAtMs: waits ? null : Date.now(),
      resumable: !waits && state !== 'done' && this.options.runners[job.kind].resumable,
    };
    await this.persist(live);
    this.options.emit({ type: 'job', job: live.job });
  }

  /** What the store cannot take now (full disk) is still true in memory; a restart finds the job interrupted. */
  async persist({ job, payloadJson }: LiveJob): Promise<void> {
    try {
      await this.options.store.putJob({ job, payloadJson });
    } catch (error) {
      process.stderr.write(`job ${job.id}: its state could not be stored: ${toErrorPayload(error).message}\n`);
    }
  }
}

/** The progress of a job that is done; one too short to be measured on the way gets its average speed. */
function withSpeed(progress: JobProgress, doneBefore: number, startedMs: number): JobProgress {
  const done = progress.total - doneBefore;
  if (progress.perSecond !== null || done <= 0) return progress;
  return { ...progress, perSecond: (1000 * done) / Math.max(1, performance.now() - startedMs) };
}
