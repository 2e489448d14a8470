import { describe, expect, it } from 'vitest';
import { asId, type BackboneId } from '../../../src-shared/model/ids.ts';
import type { ProbeOutcome, ProbeRequest } from '../infer/probe.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { DEVICE_SETTING, DeviceService } from './device-service.ts';

const good: ProbeOutcome = { ok: true, result: { relativeError: 1e-6, deviceMs: 1, cpuMs: 20 } };
const wrong: ProbeOutcome = { ok: true, result: { relativeError: 0.2, deviceMs: 1, cpuMs: 20 } };
const A = asId<BackboneId>('a');
const B = asId<BackboneId>('b');

/** A Windows machine whose devices all work, unless said otherwise by provider and model. */
function machine(outcome: (request: ProbeRequest) => ProbeOutcome = () => good) {
  const probed: string[] = [];
  let setting: string | null = null;
  const service = new DeviceService({
    store: { getSetting: async (key) => (key === DEVICE_SETTING ? setting : null) },
    threads: 2,
    platform: 'win32',
    missing: () => null,
    subjectOf: async (id) => ({ modelPath: id, dims: [2, 3, 8, 8] }),
    probe: async (request) => {
      probed.push(`${request.provider} ${request.modelPath ?? 'small'}`);
      return outcome(request);
    },
  });
  const pin = (value: ProviderName | ''): void => {
    setting = value;
    service.reset();
  };
  return { service, probed, pin };
}

describe('DeviceService', () => {
  it('tests a device with each backbone once before it is trusted with it', async () => {
    const { service, probed } = machine(({ modelPath }) => (modelPath === B ? wrong : good));
    expect((await service.choose([A])).provider).toBe('cuda');
    expect((await service.choose([A])).provider).toBe('cuda');
    expect(probed).toEqual(['cuda small', 'cuda a']);
    const other = await service.choose([A, B]);
    expect(other.provider).toBe('cpu');
    expect(other.status.refused[0]?.reason).toContain('differ');
    expect((await service.status()).name).toBe('CUDA');
  });

  it('goes on with the next device when one fails in mid-run, and says why ever after', async () => {
    const { service } = machine();
    expect((await service.choose([A])).provider).toBe('cuda');
    expect((await service.fallBack('cuda', 'It was lost.', [A])).provider).toBe('dml');
    expect((await service.fallBack('dml', 'It hung.', [A])).provider).toBe('webgpu');
    expect((await service.fallBack('webgpu', 'It crashed.', [A])).provider).toBe('cpu');
    expect((await service.status()).refused).toEqual([
      { name: 'CUDA', reason: 'It was lost.' },
      { name: 'DirectML', reason: 'It hung.' },
      { name: 'WebGPU', reason: 'It crashed.' },
    ]);
  });

  it('runs what the user pinned, and nothing but the CPU where that fails', async () => {
    const { service, pin } = machine(({ provider }) => (provider === 'dml' ? good : wrong));
    pin('dml');
    expect(await service.list()).toMatchObject({ pinned: 'dml' });
    expect((await service.choose()).provider).toBe('dml');
    pin('cuda');
    expect((await service.choose()).provider).toBe('cpu');
    pin('cpu');
    expect((await service.choose()).candidates.at(-1)).toMatchObject({ id: 'cpu', state: 'in-use' });
  });

  it('lists every candidate with its outcome; a test tries them all again', async () => {
    const { service, probed } = machine(({ provider }) => (provider === 'dml' ? wrong : good));
    const states = async () => (await service.list()).candidates.map(({ id, state }) => `${id} ${state}`);
    expect(await states()).toEqual(['cuda in-use', 'dml untested', 'webgpu untested', 'cpu usable']);
    const tested = await service.test({ modelPath: 'b', dims: [2, 3, 8, 8] });
    expect(tested.candidates.map(({ id, state }) => `${id} ${state}`)).toEqual([
      'cuda in-use',
      'dml refused',
      'webgpu usable',
      'cpu usable',
    ]);
    expect(tested.candidates[0]?.test).toMatchObject({ deviceMs: 1, cpuMs: 20 });
    expect(probed.slice(1)).toEqual(['cuda b', 'dml b', 'webgpu b']);
    expect(tested.notRunByChecks).toEqual(['CUDA', 'DirectML', 'CoreML']);
  });

  it('takes a device for one command without changing the setting', async () => {
    const { service } = machine();
    expect((await service.choose([A], 'webgpu')).provider).toBe('webgpu');
    expect((await service.choose([A])).provider).toBe('cuda');
  });
});
