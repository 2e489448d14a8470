import type { ErrorPayload } from '../errors.ts';
import type { JobId, RunId, SlideId } from './ids.ts';

export type JobKind =
  | 'analyse'
  | 'compare'
  | 'demo-slide'
  | 'download'
  | 'extract'
  | 'fine-tune'
  | 'make-task'
  | 'study';
export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled' | 'interrupted';

/** What is counted, as it is shown behind the numbers. */
export type ProgressUnit =
  | 'tiles'
  | 'slides'
  | 'images'
  | 'heads'
  | 'epochs'
  | 'steps'
  | 'probes'
  | 'batches'
  | 'bytes';

export interface JobProgress {
  /** What is going on, in a few words for the user: `Reading tiles`, `Computing the map`, … */
  readonly stage: string;
  readonly done: number;
  /** 0 while unknown. */
  readonly total: number;
  /** Absent where nothing is counted, and in jobs of earlier versions. */
  readonly unit?: ProgressUnit;
  /** Units per second, smoothed; null before the first measurement. */
  readonly perSecond: number | null;
  readonly secondsLeft: number | null;
}

export interface Job {
  readonly id: JobId;
  readonly kind: JobKind;
  readonly title: string;
  readonly state: JobState;
  readonly progress: JobProgress;
  readonly slideId: SlideId | null;
  readonly runId: RunId | null;
  readonly error: ErrorPayload | null;
  readonly createdAtMs: number;
  readonly finishedAtMs: number | null;
  /** True when `resumeJob` can continue it from what is stored. */
  readonly resumable: boolean;
  /** Its place among the jobs that wait: the lowest starts first. Absent in jobs of earlier versions. */
  readonly order?: number;
  /** How often Hyaline was killed while it ran; absent = never. */
  readonly kills?: number;
}

/** Where a waiting job is put among those that wait. */
export type QueueMove = 'first' | 'up' | 'down' | 'last';

/** The queue as a whole. */
export interface QueueState {
  /** True while no archive job may start: the user wants the machine for something else. */
  readonly paused: boolean;
}
