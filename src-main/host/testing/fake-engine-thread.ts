import { workerData } from 'node:worker_threads';
import { AppError } from '../../../src-shared/errors.ts';
import { asId, type FileGrant } from '../../../src-shared/model/ids.ts';
import { fakeEngine } from '../../../src-shared/rpc/testing/fake-engine.ts';
import type { Engine } from '../../engine/engine.ts';
import { serveLink } from '../engine/link-server.ts';
import { type ThreadStart, threadLink } from '../engine/thread-link.ts';

/**
 * A thread that serves the small engine of the transport tests. Its store folder steers it: `locked` fails to start.
 * `GET /tile/crash/…` kills the thread, `/tile/hang/…` never answers, any other tile answers with its own path.
 */
const { storeFolder } = workerData as ThreadStart;
const { api, subscribe } = fakeEngine();

const engine: Engine = {
  api,
  subscribe,
  async handle({ method, path }) {
    if (path.startsWith('/tile/crash/')) {
      setTimeout(() => {
        throw new Error('killed by the test');
      }, 0);
      return new Promise(() => undefined);
    }
    if (path.startsWith('/tile/hang/')) {
      return new Promise(() => undefined);
    }
    const body = new TextEncoder().encode(`${method} ${path}`);
    return { status: 200, headers: { 'Content-Type': 'text/plain' }, body };
  },
  grant: (path) => asId<FileGrant>(`grant:${path}`),
  close: async () => undefined,
  chooseDevice: async () => {
    throw new AppError('InvalidRequest', 'This small engine has no devices.');
  },
};

await serveLink(
  threadLink(),
  async () => {
    if (storeFolder.endsWith('locked')) {
      throw new AppError('StoreLocked', 'The store is in use by process 1.', { advice: 'Close it first.' });
    }
    return engine;
  },
  () => process.exit(),
);
