import { openStore } from '../../store/open-store.ts';
import { openJobQueue } from '../queue.ts';

/** A process that starts a job, writes its id on stdout once it is stored as running, and works until it is killed. */
const [folder = ''] = process.argv.slice(2);

const store = await openStore({ folder, onThread: false });
const forever = { lane: 'inference', resumable: true, run: () => new Promise<void>(() => setInterval(() => {}, 1000)) };
const queue = await openJobQueue({
  store,
  runners: {
    analyse: forever,
    compare: forever,
    'fine-tune': forever,
    'make-task': forever,
    'demo-slide': forever,
    download: forever,
    extract: forever,
    study: forever,
  },
  emit: () => undefined,
});
const payload = { of: 'a killed process' };
const job = await queue.enqueue({ kind: 'analyse', title: 'to be killed', slideId: null, runId: null, payload });
process.stdout.write(`${job.id}\n`);
