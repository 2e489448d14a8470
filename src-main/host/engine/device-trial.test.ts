import { fork } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { DEVICE_TEST_ARGUMENT, type DeviceTestRequest } from '../../../src-shared/api/engine-link.ts';
import { seededRandom } from '../../../src-shared/numeric/random.ts';
import type { ProbeOutcome } from '../../engine/infer/probe.ts';
import type { ProviderName } from '../../engine/infer/protocol.ts';
import { NO_REGULARISERS } from '../../engine/learn/head-spec.ts';
import { HISTOTRANSFER_TRAINING } from '../../engine/learn/train-head.ts';
import { TrainingWorker } from '../../engine/learn/training-worker.ts';
import { type TrialPort, trialsThroughParent } from './device-trial.ts';

const CHILD = fileURLToPath(new URL('../testing/trial-child.ts', import.meta.url));

/** The main process: starts a utility process for each trial and hands back what it said, or how it ended. */
class MainProcess extends EventEmitter implements TrialPort {
  readonly asked: DeviceTestRequest[] = [];
  readonly #env: Readonly<Record<string, string>>;

  constructor(env: Readonly<Record<string, string>> = {}) {
    super();
    this.#env = env;
  }

  postMessage(message: unknown): void {
    const request = message as DeviceTestRequest;
    this.asked.push(request);
    const child = fork(CHILD, [DEVICE_TEST_ARGUMENT, JSON.stringify(request.request)], {
      env: { ...process.env, ...this.#env, ORT_DISABLE_TELEMETRY: '1' },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const tell = (outcome: unknown, died: string): void => {
      child.removeAllListeners('exit');
      child.kill();
      this.emit('message', { data: { type: 'device-tested', id: request.id, outcome, died } });
    };
    child.once('message', (outcome) => tell(outcome, ''));
    child.once('exit', () => tell(null, 'its driver ended the test process (exit code 9)'));
  }
}

const DIM = 8;
const random = seededRandom(4);
const bags = {
  count: 2,
  get: async (index: number) => ({
    features: Float32Array.from({ length: 6 * DIM }, () => random() + index),
    label: index,
  }),
};

let worker: TrainingWorker | null = null;
afterEach(async () => {
  await worker?.close();
});

/** Trains where only the main process can start others, with one device ahead of the CPU. */
async function trained(main: MainProcess, provider: ProviderName) {
  const { probeStep } = trialsThroughParent(main);
  const outcomes: ProbeOutcome[] = [];
  worker = new TrainingWorker(
    async () => ({ providers: [provider, 'cpu'], pinned: null, refused: [] }),
    async (test) => {
      const outcome = await probeStep(test);
      outcomes.push(outcome);
      return outcome;
    },
  );
  const spec = { pooling: 'mean', gated: false, featureDim: DIM, classes: 2, seed: 1 } as const;
  const training = {
    ...HISTOTRANSFER_TRAINING,
    ...{ spec, epochs: 1, regularisers: NO_REGULARISERS, classWeights: [1, 1], seed: 3, threads: 1 },
  };
  const { trainedOn } = await worker.train(training, bags, bags);
  return { trainedOn, outcomes };
}

describe('training inside the desktop application', () => {
  it('tries its step in a process that the main process starts, and leaves no file behind', async () => {
    const main = new MainProcess();
    const { trainedOn, outcomes } = await trained(main, 'cuda');
    // No such device here: its session cannot be opened, and that is what the process said.
    expect(outcomes).toMatchObject([{ ok: false, error: { code: 'DeviceFailed' } }]);
    expect(trainedOn).toMatchObject({ device: 'CPU', refused: [{ name: 'CUDA' }] });
    const [{ request, timeoutMs } = { request: null, timeoutMs: 0 }] = main.asked;
    const { stepPath } = request as { readonly stepPath: string };
    expect([existsSync(stepPath), timeoutMs]).toEqual([false, 120_000]);
  });

  it('goes on where the driver brings that process down', async () => {
    const { trainedOn } = await trained(new MainProcess({ HYALINE_TEST_DRIVER: 'dies' }), 'webgpu');
    expect(trainedOn?.device).toBe('CPU');
    expect(trainedOn?.refused[0]?.reason).toMatch(/its driver ended the test process/);
  });
});
