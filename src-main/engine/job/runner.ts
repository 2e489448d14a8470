import type { JobId } from '../../../src-shared/model/ids.ts';
import type { ProgressReport } from './progress.ts';

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
  /**
   * True for work in bulk (resumable only): it gives way to every other job of its lane, also in mid-run, can be paused
   * as a whole, and goes on by itself after a restart.
   */
  readonly background?: boolean;
  /** Does the job. The payload is what was enqueued, gone through JSON once. */
  run(payload: unknown, context: JobContext): Promise<void>;
}
