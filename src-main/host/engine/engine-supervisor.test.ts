import { afterEach, describe, expect, it } from 'vitest';
import { asId, type JobId } from '../../../src-shared/model/ids.ts';
import { connectEngine } from '../../../src-shared/rpc/client.ts';
import { EngineSupervisor } from './engine-supervisor.ts';

const entry = new URL('../testing/fake-engine-thread.ts', import.meta.url);
const running: EngineSupervisor[] = [];

function supervisor(storeFolder = '/nowhere/store') {
  const lines: string[] = [];
  const made = new EngineSupervisor({
    start: { storeFolder, resourcesFolder: '/nowhere', threads: 1, host: 'web' },
    entry,
    log: (line) => lines.push(line),
    backOffMs: 20,
  });
  running.push(made);
  return { engine: made, lines };
}

const get = (path: string) => ({ method: 'GET', path });
const crash = (engine: EngineSupervisor) => engine.request(get('/tile/crash/0/0_0'));

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.close()));
});

describe('EngineSupervisor', () => {
  it('answers routes, grants and calls from a thread of their own', async () => {
    const { engine } = supervisor();
    await engine.start();
    const answer = await engine.request(get('/tile/a/0/1_2'));
    expect(new TextDecoder().decode(answer.body)).toBe('GET /tile/a/0/1_2');
    expect(await engine.grant('/slides/a.svs')).toBe('grant:/slides/a.svs');
    const client = connectEngine(engine.connect());
    await client.engine.setSetting('theme', 'dark');
    expect(await client.engine.getSetting('theme')).toBe('dark');
    client.close();
  });

  it('rejects a start that fails with the reason of the engine, and does not try again', async () => {
    const { engine, lines } = supervisor('/nowhere/locked');
    await expect(engine.start()).rejects.toMatchObject({ code: 'StoreLocked' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(lines).toEqual([]);
  });

  it('fails what is in flight when the thread dies, starts it again and serves new clients', async () => {
    const { engine, lines } = supervisor();
    await engine.start();
    const client = connectEngine(engine.connect());
    const call = client.engine.cancelJob(asId<JobId>('never')).catch((error: unknown) => error);
    const route = engine.request(get('/tile/hang/0/0_0')).catch((error: unknown) => error);
    await client.engine.listSlides();
    await expect(crash(engine)).rejects.toMatchObject({ code: 'EngineCrashed', detail: /killed by the test/ });
    expect(await route).toMatchObject({ code: 'EngineCrashed' });
    expect(await call).toMatchObject({ code: 'EngineCrashed' });
    await expect.poll(() => lines.at(-1), { timeout: 5_000 }).toBe('The engine is running again.');
    const again = connectEngine(engine.connect());
    expect(await again.engine.listSlides()).toEqual([]);
    again.close();
  });

  it('closes an engine that is just starting again', async () => {
    const { engine, lines } = supervisor();
    await engine.start();
    await expect(crash(engine)).rejects.toMatchObject({ code: 'EngineCrashed' });
    await new Promise((resolve) => setTimeout(resolve, 40));
    await engine.close();
    expect(() => engine.connect()).toThrow();
    const said = lines.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(lines.length).toBe(said);
  });

  it('gives up after three crashes and says so', async () => {
    const { engine, lines } = supervisor();
    await engine.start();
    for (let crashes = 1; crashes <= 3; crashes += 1) {
      await expect(crash(engine)).rejects.toMatchObject({ code: 'EngineCrashed' });
      if (crashes < 3) {
        const restarts = () => lines.filter((line) => line === 'The engine is running again.').length;
        await expect.poll(restarts, { timeout: 5_000 }).toBe(crashes);
      }
    }
    expect(() => engine.connect()).toThrow('could not be started again');
    expect(lines.at(-1)).toContain('start it again');
  });
});
