import { workerData } from 'node:worker_threads';
import { createEngine } from '../../engine/create-engine.ts';
import { serveLink } from '../engine/link-server.ts';
import { type ThreadStart, threadLink } from '../engine/thread-link.ts';

/** The real engine on a thread that `GET /crash` kills without any farewell, as a fault in native code might. */
await serveLink(
  threadLink(),
  async () => {
    const engine = await createEngine(workerData as ThreadStart);
    return {
      ...engine,
      handle(request) {
        if (request.path === '/crash') {
          setImmediate(() => {
            throw new Error('killed by the test');
          });
          return new Promise(() => undefined);
        }
        return engine.handle(request);
      },
    };
  },
  () => process.exit(),
);
