import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src-shared/errors.ts';
import { ADAM } from '../graph/optimise/optimiser.ts';
import type { ProbeOutcome } from '../infer/probe.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { evaluationGraph } from './head-graph.ts';
import { NO_REGULARISERS } from './head-spec.ts';
import { type HeadTraining, HISTOTRANSFER_TRAINING, trainHead } from './train-head.ts';
import { type DeviceOrder, type ProbeStep, TrainingDevices } from './training-devices.ts';

const good: ProbeOutcome = { ok: true, result: { relativeError: 1e-6, deviceMs: 1, cpuMs: 20 } };
const wrong: ProbeOutcome = { ok: true, result: { relativeError: 0.06, deviceMs: 1, cpuMs: 20 } };
const slow: ProbeOutcome = { ok: true, result: { relativeError: 1e-6, deviceMs: 90, cpuMs: 20 } };
const died: ProbeOutcome = { ok: false, died: 'its driver ended the test process (SIGSEGV)' };

const order = (providers: readonly ProviderName[], changes: Partial<DeviceOrder> = {}): DeviceOrder => ({
  ...{ providers, pinned: null, refused: [] },
  ...changes,
});
const answering =
  (outcomes: Partial<Record<ProviderName, ProbeOutcome>>): ProbeStep =>
  async ({ provider }) =>
    outcomes[provider] ?? died;

const DIM = 8;
const training = (epochs: number): HeadTraining => ({
  ...HISTOTRANSFER_TRAINING,
  ...{ epochs, regularisers: NO_REGULARISERS, classWeights: [1, 1], seed: 3, threads: 1 },
  spec: { pooling: 'mean', gated: false, featureDim: DIM, classes: 2, seed: 1 },
});
const bags = {
  count: 4,
  get: async (index: number) => ({
    features: Float32Array.from({ length: 6 * DIM }, (_, i) => Math.sin(1.3 * i + index) + (index % 2)),
    label: index % 2,
  }),
};

const fold = async (devices: TrainingDevices, epochs = 2) => await trainHead(training(epochs), bags, bags, { devices });

describe('what a training runs on', () => {
  it('is the CPU where the others are refused by the test of its own step, and says why', async () => {
    const probe = answering({ cuda: wrong, dml: died, webgpu: slow });
    const { trainedOn } = await fold(new TrainingDevices(order(['cuda', 'dml', 'webgpu', 'cpu']), probe));
    expect(trainedOn?.device).toBe('CPU');
    expect(trainedOn?.refused.map(({ name, reason }) => `${name}: ${reason}`)).toEqual([
      expect.stringMatching(/^CUDA: .*differ.*6\.0 %/),
      expect.stringMatching(/^DirectML: .*SIGSEGV/),
      expect.stringMatching(/^WebGPU: .*slower/),
    ]);
  });

  it('keeps why inference ruled a device out, and asks no device that is not in the order', async () => {
    const refused = [{ name: 'CUDA', reason: 'Its library is not part of this installation.' }];
    const probe: ProbeStep = () => Promise.reject(new Error('must not be tried'));
    const { trainedOn } = await fold(new TrainingDevices(order(['cpu'], { refused }), probe));
    expect(trainedOn).toEqual({ device: 'CPU', refused });
  });

  it('is the next device where one cannot hold the step after all, with the same result as on the CPU alone', async () => {
    // The test went well, but this machine has no CUDA: opening the session fails as a device's failure.
    const devices = new TrainingDevices(order(['cuda', 'cpu']), answering({ cuda: good }));
    const [fallen, plain] = [await fold(devices), await fold(new TrainingDevices())];
    expect(fallen.trainedOn?.device).toBe('CPU');
    expect(fallen.trainedOn?.refused[0]?.reason).toMatch(/^It stopped in the middle of the training/);
    expect(fallen.weights).toEqual(plain.weights);
  });

  it('is begun anew on the next device after a failure in mid-run; the device is not tried again', async () => {
    const probed: string[] = [];
    const probe: ProbeStep = async ({ provider }) => {
      probed.push(provider);
      return good;
    };
    const devices = new TrainingDevices(order(['webgpu', 'cpu']), probe);
    const step = { key: 'k', step: null as never, optimiser: ADAM, groups: [], threads: 1 };
    const tried: string[] = [];
    const train = async (provider: ProviderName) => {
      tried.push(provider);
      if (provider === 'webgpu') throw new AppError('DeviceFailed', 'The device stopped.', { detail: 'device lost' });
      return { value: 1 };
    };
    const first = await devices.run(step, train);
    expect(first).toEqual({
      value: 1,
      trainedOn: {
        device: 'CPU',
        refused: [{ name: 'WebGPU', reason: 'It stopped in the middle of the training (device lost).' }],
      },
    });
    await devices.run(step, train);
    expect([tried, probed]).toEqual([['webgpu', 'cpu', 'cpu'], ['webgpu']]);
  });

  it('does not change for what is not the fault of the device', async () => {
    const devices = new TrainingDevices(order(['webgpu', 'cpu']), async () => good);
    const step = { key: 'k', step: null as never, optimiser: ADAM, groups: [], threads: 1 };
    const cancelled = devices.run(step, () => Promise.reject(new AppError('Cancelled', 'Training was cancelled.')));
    await expect(cancelled).rejects.toMatchObject({ code: 'Cancelled' });
  });
});

const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';
describe('training on WebGPU', () => {
  it.skipIf(!existsSync(swiftShader))(
    'agrees with the CPU, its state on the device from step to step',
    async () => {
      const { probeStepInChildProcess } = await import('./training-devices.ts');
      const outcomes: ProbeOutcome[] = [];
      const probe: ProbeStep = async (test) => {
        process.env.VK_ICD_FILENAMES = swiftShader;
        const outcome = await probeStepInChildProcess(test);
        delete process.env.VK_ICD_FILENAMES;
        outcomes.push(outcome);
        return outcome;
      };
      const { trainedOn } = await fold(new TrainingDevices(order(['webgpu', 'cpu']), probe), 1);
      const [outcome] = outcomes;
      expect(outcome).toMatchObject({ ok: true, result: { stateOnDevice: true } });
      expect(outcome?.ok && outcome.result.relativeError).toBeLessThan(1e-4);
      // Right, but not fast on a processor.
      expect(trainedOn?.refused[0]?.reason).toMatch(/slower than the CPU/);
    },
    120_000,
  );

  it.skipIf(!existsSync(swiftShader))(
    'runs heads forward as the CPU does',
    async () => {
      const { probeStepInChildProcess } = await import('./training-devices.ts');
      process.env.VK_ICD_FILENAMES = swiftShader;
      const outcome = await probeStepInChildProcess({
        ...{ provider: 'webgpu', step: null, optimiser: ADAM, groups: [], threads: 1 },
        forward: evaluationGraph({ pooling: 'max', gated: false, featureDim: DIM, classes: 3, seed: 2 }).model,
      });
      delete process.env.VK_ICD_FILENAMES;
      expect(outcome.ok ? outcome.result.relativeError : outcome).toBeLessThan(1e-4);
    },
    120_000,
  );
});
