import type { JobId } from '../model/ids.ts';
import type { Job, QueueState } from '../model/job.ts';

/** What the engine tells its clients without being asked. */
export type EngineEvent =
  | { readonly type: 'job'; readonly job: Job }
  | { readonly type: 'jobs-removed'; readonly jobIds: readonly JobId[] }
  | { readonly type: 'queue'; readonly queue: QueueState }
  | { readonly type: 'library-changed' }
  | { readonly type: 'backbones-changed' }
  | { readonly type: 'runs-changed'; readonly slideId: string }
  | { readonly type: 'comparisons-changed'; readonly comparisonId: string }
  | { readonly type: 'studies-changed'; readonly studyId: string }
  /** A study under way has learned more: `studyProgress` says how far it is. */
  | { readonly type: 'study-progress'; readonly studyId: string };
