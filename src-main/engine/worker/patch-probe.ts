import { parentPort } from 'node:worker_threads';
import { type ErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import { type PartResult, type ProbeInput, type ProbeSettings, probePart } from '../compare/probe-part.ts';
import type { TaskPart } from '../compare/task-parts.ts';

/** Probes to fit on one set of features: every part of a task. The features are best on a SharedArrayBuffer. */
export interface ProbeJob {
  readonly id: number;
  readonly input: ProbeInput;
  readonly parts: readonly TaskPart[];
  readonly settings: ProbeSettings;
}

export type ProbeAnswer =
  | { readonly id: number; readonly results: readonly PartResult[] }
  | { readonly id: number; readonly error: ErrorPayload };

const port = parentPort;
port?.on('message', ({ id, input, parts, settings }: ProbeJob) => {
  let answer: ProbeAnswer;
  try {
    answer = { id, results: parts.map((part) => probePart(input, part, settings)) };
  } catch (error) {
    answer = { id, error: toErrorPayload(error) };
  }
  port.postMessage(answer);
});
