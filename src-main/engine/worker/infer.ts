import { parentPort } from 'node:worker_threads';
import { serveInference } from '../infer/serve.ts';

/** Entry of the inference thread: the only place where a network runs, because a run blocks its thread. */
if (parentPort) serveInference(parentPort);
