import { workerData } from 'node:worker_threads';
import { createEngine } from '../engine/create-engine.ts';
import { serveLink } from './engine/link-server.ts';
import { type ThreadStart, threadLink } from './engine/thread-link.ts';

/** Entry of the thread that runs the engine for the web host: http is served elsewhere, so neither waits for the other. */
await serveLink(
  threadLink(),
  () => createEngine(workerData as ThreadStart),
  () => process.exit(),
);
