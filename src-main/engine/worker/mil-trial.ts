import { parentPort } from 'node:worker_threads';
import { type ErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import { runTrial, type Trial, type TrialResult } from '../proof/trial.ts';

export type TrialAnswer =
  | { readonly id: number; readonly result: TrialResult }
  | { readonly id: number; readonly error: ErrorPayload };

parentPort?.on('message', ({ id, trial }: { readonly id: number; readonly trial: Trial }) => {
  runTrial(trial).then(
    (result) => parentPort?.postMessage({ id, result } satisfies TrialAnswer),
    (error: unknown) => parentPort?.postMessage({ id, error: toErrorPayload(error) } satisfies TrialAnswer),
  );
});
