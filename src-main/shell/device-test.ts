import type { EngineChild } from './electron.ts';

/** No test takes longer, whatever the engine asks for. */
const LONGEST_MS = 600_000;

/** What came of trying a device: its process's own words, or how it ended without any. */
export interface DeviceTestOutcome {
  readonly outcome: unknown;
  readonly died: string;
}

/**
 * Waits for what a process that tries a device has to say, and ends it. A driver that brings it down, hangs it or keeps
 * it from starting is an outcome like any other: never rejects.
 */
export function deviceTest(start: () => EngineChild, timeoutMs: number = LONGEST_MS): Promise<DeviceTestOutcome> {
  return new Promise((resolve) => {
    let child: EngineChild;
    try {
      child = start();
    } catch (error) {
      resolve({ outcome: null, died: `the test could not be started (${String(error)})` });
      return;
    }
    const limitMs = Math.min(timeoutMs, LONGEST_MS);
    const timer = setTimeout(() => {
      resolve({ outcome: null, died: `it gave no answer within ${limitMs / 1000} seconds` });
      child.kill();
    }, limitMs);
    child.once('message', (outcome: unknown) => {
      clearTimeout(timer);
      resolve({ outcome, died: '' });
      child.kill();
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve({ outcome: null, died: `its driver ended the test process (exit code ${code})` });
    });
  });
}
