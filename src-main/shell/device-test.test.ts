import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { DEVICE_TEST_ARGUMENT } from '../../src-shared/api/engine-link.ts';
import { connectEngine } from '../../src-shared/rpc/client.ts';
import { type EmitterPort, portEndpoint } from '../../src-shared/rpc/port-endpoint.ts';
import { deviceTest } from './device-test.ts';
import type { ShellPort } from './electron.ts';
import { EngineSupervisor } from './supervisor.ts';
import { PortDouble } from './testing/port-double.ts';
import { type ForkRecord, utilityProcessDouble } from './testing/utility-double.ts';

/** The engine's own entry, as its source. */
const ENGINE = fileURLToPath(new URL('../host/utility.ts', import.meta.url));
const RESOURCES = fileURLToPath(new URL('../../resources', import.meta.url));
const LIMITS = { firstDelayMs: 20, maxDelayMs: 100, maxCrashes: 3, healthyAfterMs: 60_000 };

let close = async (): Promise<void> => {};
afterEach(() => close());

describe('devices inside the desktop application', () => {
  it('are tried by the engine itself in a process that the main process starts for it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hyaline-device-'));
    const forks: ForkRecord[] = [];
    const utility = utilityProcessDouble(forks, (path) => path);
    const env = { ...process.env, HYALINE_STORE: join(folder, 'store') } as Record<string, string>;
    const start = JSON.stringify({ resourcesFolder: RESOURCES, threads: 1 });
    const supervisor = new EngineSupervisor({
      fork: () => utility.fork(ENGINE, [start], { env }),
      forkDeviceTest: (request) => utility.fork(ENGINE, [DEVICE_TEST_ARGUMENT, JSON.stringify(request)], { env }),
      limits: LIMITS,
      closeTimeoutMs: 5000,
    });
    supervisor.start();
    const [ours, theirs] = PortDouble.pair();
    close = async () => {
      await supervisor.close();
      rmSync(folder, { recursive: true, force: true });
    };
    await supervisor.connect(theirs as unknown as ShellPort);
    const client = connectEngine(portEndpoint(ours as unknown as EmitterPort));
    const { candidates } = await client.engine.testDevices(null);
    client.close();
    const webgpu = candidates.find(({ id }) => id === 'webgpu');
    // It was really tried, whatever this machine has: in a second process, told apart by its argument.
    expect(webgpu?.reason).not.toContain('inside the desktop application');
    const tests = forks.filter(({ args }) => args[0] === DEVICE_TEST_ARGUMENT);
    expect(tests.map(({ args }) => JSON.parse(args[1] ?? ''))).toContainEqual({
      ...{ provider: 'webgpu', modelPath: null, dims: [2, 3, 64, 64] },
    });
  });

  it('answer with what the self-test found', async () => {
    const utility = utilityProcessDouble([], (path) => path);
    const request = JSON.stringify({ provider: 'cpu', modelPath: null, dims: [2, 3, 64, 64] });
    const env = process.env as Record<string, string>;
    const answer = await deviceTest(() => utility.fork(ENGINE, [DEVICE_TEST_ARGUMENT, request], { env }));
    expect(answer).toMatchObject({ died: '', outcome: { ok: true, result: { relativeError: 0 } } });
  });
});
