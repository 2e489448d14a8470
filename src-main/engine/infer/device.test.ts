import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AppError, toErrorPayload } from '../../../src-shared/errors.ts';
import { chooseDevice, deviceOrder } from './device.ts';
import { type ProbeDevice, type ProbeOutcome, probeInChildProcess } from './probe.ts';
import { relativeError } from './self-test.ts';

const good: ProbeOutcome = { ok: true, result: { relativeError: 1e-6, deviceMs: 1, cpuMs: 20 } };
const wrong: ProbeOutcome = { ok: true, result: { relativeError: 0.06, deviceMs: 1, cpuMs: 20 } };
const slow: ProbeOutcome = { ok: true, result: { relativeError: 1e-6, deviceMs: 90, cpuMs: 20 } };
const failed: ProbeOutcome = {
  ok: false,
  error: toErrorPayload(new AppError('DeviceFailed', 'x', { detail: 'Failed to get a WebGPU adapter: none' })),
};
const died: ProbeOutcome = { ok: false, died: 'its driver ended the test process (SIGSEGV)' };

function choose(platform: NodeJS.Platform, outcomes: Record<string, ProbeOutcome>, pinned: 'webgpu' | null = null) {
  const probe: ProbeDevice = async ({ provider }) => outcomes[provider] ?? died;
  return chooseDevice({ threads: 3, platform, probe, pinned, missing: () => null });
}

describe('chooseDevice', () => {
  it.each<[NodeJS.Platform, string]>([
    ['linux', 'cuda webgpu cpu'],
    ['win32', 'cuda dml webgpu cpu'],
    ['darwin', 'coreml webgpu cpu'],
  ])('tries the devices of %s in order', (platform, order) => {
    expect(deviceOrder(platform).join(' ')).toBe(order);
  });

  it('takes the first good device and keeps the others for a fall back', async () => {
    const device = await choose('win32', { cuda: good });
    expect(device).toMatchObject({ provider: 'cuda', fallbacks: ['dml', 'webgpu', 'cpu'] });
    expect(device.status).toMatchObject({ name: 'CUDA', threads: 3, refused: [] });
  });

  it('falls back to the CPU and says why: died, wrong, slow, failed', async () => {
    const device = await choose('win32', { cuda: died, dml: wrong, webgpu: slow });
    expect(device.provider).toBe('cpu');
    const reasons = device.status.refused.map(({ name, reason }) => `${name}: ${reason}`);
    expect(reasons).toEqual([
      expect.stringMatching(/^CUDA: .*SIGSEGV/),
      expect.stringMatching(/^DirectML: .*differ.*6\.0 %/),
      expect.stringMatching(/^WebGPU: .*slower/),
    ]);
    const linux = await choose('linux', { webgpu: failed });
    expect(linux.status.refused.at(-1)?.reason).toBe('No graphics adapter was found.');
  });

  it('uses a slow device only where the user pinned it, never a wrong one', async () => {
    expect((await choose('linux', { cuda: good, webgpu: slow }, 'webgpu')).provider).toBe('webgpu');
    expect((await choose('linux', { cuda: good, webgpu: wrong }, 'webgpu')).provider).toBe('cpu');
  });

  it('names what this installation lacks without trying it', async () => {
    const probe: ProbeDevice = () => Promise.reject(new Error('must not be tried'));
    const missing = (provider: string): string => `no ${provider} here`;
    const device = await chooseDevice({ threads: 0, platform: 'linux', probe, missing });
    expect(device.status.refused.map(({ reason }) => reason)).toEqual(['no cuda here', 'no webgpu here']);
  });
});

describe('probeInChildProcess', () => {
  const dims = [2, 3, 64, 64];

  it('runs the self-test on this machine: the CPU agrees with itself', async () => {
    const outcome = await probeInChildProcess({ provider: 'cpu', modelPath: null, dims });
    expect(outcome).toMatchObject({ ok: true, result: { relativeError: 0 } });
  });

  it('survives a test process that fails', async () => {
    const outcome = await probeInChildProcess({ provider: 'cpu', modelPath: '/nowhere.onnx', dims });
    expect(outcome.ok).toBe(false);
  });

  const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';
  it.skipIf(!existsSync(swiftShader))('WebGPU on SwiftShader agrees with the CPU', async () => {
    process.env.VK_ICD_FILENAMES = swiftShader;
    const outcome = await probeInChildProcess({ provider: 'webgpu', modelPath: null, dims });
    delete process.env.VK_ICD_FILENAMES;
    expect(outcome.ok && outcome.result.relativeError).toBeLessThan(1e-4);
  });
});

describe('relativeError', () => {
  it('is infinite where it cannot be told', () => {
    expect(relativeError(Float32Array.of(Number.NaN), Float32Array.of(1))).toBe(Number.POSITIVE_INFINITY);
    expect(relativeError(Float32Array.of(1), Float32Array.of(1, 2))).toBe(Number.POSITIVE_INFINITY);
    expect(relativeError(Float32Array.of(2, 2), Float32Array.of(2, 1))).toBeCloseTo(1 / Math.sqrt(2.5), 6);
  });
});
