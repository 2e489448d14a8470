import { parentPort } from 'node:worker_threads';
import { type ErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import type { RunId } from '../../../src-shared/model/ids.ts';
import type { MapDescription, MapSpec } from '../../../src-shared/model/map.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import { computeMap } from '../map/compute-map.ts';

/** One map to compute. `features` is tiles x featureDim, best on a SharedArrayBuffer (then nothing is copied). */
export interface MapTask {
  readonly id: number;
  readonly spec: MapSpec;
  readonly runId: RunId;
  readonly features: Float32Array;
  readonly featureDim: number;
  readonly laid: LaidGrid;
}

export type MapAnswer =
  | { readonly id: number; readonly description: MapDescription; readonly values: Float32Array }
  | { readonly id: number; readonly error: ErrorPayload };

const port = parentPort;
port?.on('message', (task: MapTask) => {
  try {
    const { description, values } = computeMap(task);
    const answer: MapAnswer = { id: task.id, description, values };
    port.postMessage(answer, values.buffer instanceof ArrayBuffer ? [values.buffer] : []);
  } catch (error) {
    const answer: MapAnswer = { id: task.id, error: toErrorPayload(error) };
    port.postMessage(answer);
  }
});
