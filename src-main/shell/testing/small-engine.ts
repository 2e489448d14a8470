import type { DeviceTestAnswer, DeviceTestRequest, FromEngine, ToEngine } from '../../../src-shared/api/engine-link.ts';
import { asId, type FileGrant, type JobId } from '../../../src-shared/model/ids.ts';
import type { Job, JobState } from '../../../src-shared/model/job.ts';

/**
 * A child that speaks the engine's side of the link and nothing else: tests of the supervisor need crashes on demand.
 * What it does is told by SMALL_ENGINE (`ok`, `crash-on-start`, `refuse`, `device-test`) and by the routes asked for.
 */
interface Port {
  on(event: 'message', listener: (event: { readonly data: ToEngine | DeviceTestAnswer }) => void): unknown;
  postMessage(message: unknown): void;
}

const { parentPort } = process as unknown as { readonly parentPort: Port };
const tell = (message: FromEngine | DeviceTestRequest): void => parentPort.postMessage(message);

const job = (id: string, state: JobState): Job => ({
  id: asId<JobId>(id),
  kind: 'analyse',
  title: 'a job',
  state,
  progress: { stage: 'Reading tiles', done: 1, total: 4, perSecond: null, secondsLeft: null },
  slideId: null,
  runId: null,
  error: null,
  createdAtMs: 0,
  finishedAtMs: null,
  resumable: true,
});

parentPort.on('message', ({ data }) => {
  if (data.type === 'close') {
    tell({ type: 'closed' });
    setImmediate(() => process.exit(0));
  } else if (data.type === 'grant') {
    tell({ type: 'granted', id: data.id, grant: asId<FileGrant>(`grant-of-${data.path.length}`) });
  } else if (data.type === 'resume') {
    for (const id of data.jobIds) tell({ type: 'event', event: { type: 'job', job: job(id, 'running') } });
  } else if (data.type === 'device-tested') {
    const { id, outcome, died } = data;
    const body = new TextEncoder().encode(JSON.stringify({ outcome, died }));
    tell({ type: 'routed', id, response: { status: 200, headers: {}, body } });
  } else if (data.type === 'route') {
    answer(data.id, data.path);
  }
});

function answer(id: number, path: string): void {
  if (path === '/crash') process.exit(3);
  if (path === '/silence') return;
  if (path.startsWith('/try/')) {
    tell({ type: 'test-device', id, request: path.slice(5), timeoutMs: 60_000 });
    return;
  }
  if (path.startsWith('/run/')) tell({ type: 'event', event: { type: 'job', job: job(path.slice(5), 'running') } });
  const body = new TextEncoder().encode(`answer to ${path}`);
  tell({ type: 'routed', id, response: { status: 200, headers: { 'content-type': 'text/plain' }, body } });
}

if (process.env.SMALL_ENGINE === 'crash-on-start') process.exit(4);
if (process.env.SMALL_ENGINE === 'device-test') {
  if (process.env.DEVICE === 'deadly') process.exit(139);
  parentPort.postMessage({ ok: true, device: process.env.DEVICE });
} else if (process.env.SMALL_ENGINE === 'refuse') {
  const error = { code: 'StoreTooNew', message: 'The store is newer.', advice: 'Update.', detail: '' } as const;
  tell({ type: 'failed', error });
  setTimeout(() => process.exit(1), 20);
} else {
  tell({ type: 'ready' });
}
