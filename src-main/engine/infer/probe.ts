import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ErrorPayload } from '../../../src-shared/errors.ts';
import { workerUrl } from '../worker/worker-url.ts';
import type { ProviderName } from './protocol.ts';
import type { SelfTestResult } from './self-test.ts';

export interface ProbeRequest {
  readonly provider: ProviderName;
  /** The backbone to test with; null = a small built-in network. */
  readonly modelPath: string | null;
  /** Dims of the test input, batch included. */
  readonly dims: readonly number[];
}

export type ProbeAnswer =
  | { readonly ok: true; readonly result: SelfTestResult }
  | { readonly ok: false; readonly error: ErrorPayload };

/** What became of a probe. `died` means that the child process ended without an answer. */
export type ProbeOutcome = ProbeAnswer | { readonly ok: false; readonly died: string };

export type ProbeDevice = (request: ProbeRequest) => Promise<ProbeOutcome>;

const PROBE_TIMEOUT_MS = 60_000;

/**
 * Tries a device in a child process. Never rejects: a crash, a hang or a failed start is an outcome.
 * Inside Electron the child would be a second application (its Node mode is switched off), so nothing is started there.
 */
export const probeInChildProcess: ProbeDevice = (request) => askChildProcess('probe', request, PROBE_TIMEOUT_MS);

/** Gives a request to a worker entry in a child process of its own. Never rejects, as above. */
export function askChildProcess(
  entry: 'probe' | 'train-probe',
  request: object,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  if (process.versions.electron !== undefined) {
    return Promise.resolve({ ok: false, died: 'it cannot be tested safely inside the desktop application' });
  }
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(workerUrl(entry)), [], {
      // Typed arrays go as they are.
      serialization: 'advanced',
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve({ ok: false, died: `it gave no answer within ${timeoutMs / 1000} seconds` });
    }, timeoutMs);
    child.once('message', (answer: ProbeAnswer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve({ ok: false, died: `the test could not be started (${error.message})` });
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      resolve({ ok: false, died: `its driver ended the test process (${signal ?? `exit code ${code}`})` });
    });
    child.send(request, (error) => {
      if (error) resolve({ ok: false, died: `the test could not be started (${error.message})` });
    });
  });
}
