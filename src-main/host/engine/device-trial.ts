import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { DeviceTestAnswer, DeviceTestRequest } from '../../../src-shared/api/engine-link.ts';
import { toErrorPayload } from '../../../src-shared/errors.ts';
import type { ProbeDevice, ProbeOutcome, ProbeRequest } from '../../engine/infer/probe.ts';
import type { StepTest } from '../../engine/learn/step-self-test.ts';
import { type ProbeStep, STEP_PROBE_TIMEOUT_MS } from '../../engine/learn/training-devices.ts';

/** What a process that tries a device is asked: a network, or a training step, which is too large for an argument. */
type DeviceTrial = ProbeRequest | { readonly stepPath: string };

/** What is needed of the port to the main process. */
export interface TrialPort {
  on(event: 'message', listener: (event: { readonly data: unknown }) => void): unknown;
  postMessage(message: unknown): void;
}

const NETWORK_TIMEOUT_MS = 60_000;

/**
 * Ways to try devices for an engine that cannot start processes: it asks the main process for one. A driver that brings
 * it down is an outcome, as where the engine starts it itself; neither way ever rejects.
 */
export function trialsThroughParent(port: TrialPort): { readonly probe: ProbeDevice; readonly probeStep: ProbeStep } {
  const waiting = new Map<number, (outcome: ProbeOutcome) => void>();
  let nextId = 1;
  port.on('message', ({ data }) => {
    const message = data as DeviceTestAnswer | { readonly type: string };
    if (message.type !== 'device-tested' || !('outcome' in message)) return;
    const answered = message.outcome as ProbeOutcome | null;
    waiting.get(message.id)?.(answered ?? { ok: false, died: message.died });
    waiting.delete(message.id);
  });
  const ask = (request: DeviceTrial, timeoutMs: number): Promise<ProbeOutcome> =>
    new Promise((resolve) => {
      const id = nextId++;
      waiting.set(id, resolve);
      port.postMessage({ type: 'test-device', id, request, timeoutMs } satisfies DeviceTestRequest);
    });
  return {
    probe: (request) => ask(request, NETWORK_TIMEOUT_MS),
    probeStep: (test) => throughFile(test, (stepPath) => ask({ stepPath }, STEP_PROBE_TIMEOUT_MS)),
  };
}

async function throughFile(test: StepTest, ask: (path: string) => Promise<ProbeOutcome>): Promise<ProbeOutcome> {
  let folder: string | null = null;
  try {
    folder = await mkdtemp(join(tmpdir(), 'hyaline-step-'));
    const path = join(folder, 'step');
    await writeFile(path, serialize(test));
    return await ask(path);
  } catch (error) {
    return { ok: false, died: `the test could not be started (${String(error)})` };
  } finally {
    if (folder !== null) await rm(folder, { recursive: true, force: true });
  }
}

/** Tries one device in this process. @param trialJson what `trialsThroughParent` asked for. */
export async function tryDevice(trialJson: string): Promise<ProbeOutcome> {
  try {
    return { ok: true, result: await tried(JSON.parse(trialJson) as DeviceTrial) };
  } catch (error) {
    return { ok: false, error: toErrorPayload(error) };
  }
}

async function tried(trial: DeviceTrial) {
  if ('stepPath' in trial) {
    const { selfTestStep } = await import('../../engine/learn/step-self-test.ts');
    return await selfTestStep(deserialize(await readFile(trial.stepPath)) as StepTest);
  }
  const { selfTest } = await import('../../engine/infer/self-test.ts');
  return await selfTest(trial.provider, trial.modelPath, trial.dims);
}
