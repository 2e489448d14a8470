import { AppError, toErrorPayload } from '../../../src-shared/errors.ts';
import type { Job, JobKind, JobState } from '../../../src-shared/model/job.ts';
import type { JobRecord, Store } from '../store/store.ts';

/** What has to be known of the runners to tell what becomes of their jobs. */
type Runners = Readonly<Record<JobKind, { readonly resumable: boolean; readonly background?: boolean }>>;

const UNENDED: ReadonlySet<JobState> = new Set(['queued', 'running']);
const KEPT_ENDED = 100;
/** Background jobs that still ask something of the user (left out, paused) are kept up to this many. */
const KEPT_OPEN = 10_000;
/** A job that was running at this many kills is left out: it may be what kills. */
const MAX_KILLS = 3;

/** The jobs of earlier sessions as they stand now, oldest first; see `openJobQueue`. */
export async function restoreJobs(
  store: Pick<Store, 'putJob' | 'listJobs' | 'removeJob'>,
  runners: Runners,
  goesOn: boolean,
): Promise<readonly JobRecord[]> {
  const records: JobRecord[] = [];
  for (const [index, { job, payloadJson }] of (await store.listJobs()).entries()) {
    // A kind this version does not know (a store of a newer one) cannot be continued here.
    const runner: Runners[JobKind] | undefined = runners[job.kind];
    const kept = runner?.background === true && job.state !== 'done' ? KEPT_OPEN : KEPT_ENDED;
    if (UNENDED.has(job.state)) {
      const record = { job: afterKill(job, runner, goesOn), payloadJson };
      records.push(record);
      await store.putJob(record).catch(ignoreUnwritable);
    } else if (index < kept) records.push({ job, payloadJson });
    else await store.removeJob(job.id).catch(ignoreUnwritable);
  }
  return records.reverse();
}

/** What becomes of a job that an earlier process left queued or running. */
function afterKill(job: Job, runner: Runners[JobKind] | undefined, goesOn: boolean): Job {
  const stopped: Job = { ...job, progress: { ...job.progress, perSecond: null, secondsLeft: null } };
  const resumable = runner?.resumable ?? false;
  if (!goesOn || runner?.background !== true) return { ...stopped, state: 'interrupted', resumable };
  if (job.state === 'queued') return stopped;
  const kills = (job.kills ?? 0) + 1;
  if (kills < MAX_KILLS) return { ...stopped, state: 'queued', kills };
  const reason = new AppError('EngineCrashed', `Hyaline stopped ${kills} times while it worked on this slide.`, {
    advice: 'The other slides go on without it. Try it again by itself; if it stops again, leave it out.',
  });
  return { ...stopped, state: 'failed', kills, error: toErrorPayload(reason), finishedAtMs: Date.now(), resumable };
}

function ignoreUnwritable(error: unknown): void {
  if (error instanceof AppError && (error.code === 'StoreReadOnly' || error.code === 'DiskFull')) return;
  throw error;
}
