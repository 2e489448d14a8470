import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../src-shared/api/events.ts';
import type { EngineStatus } from '../../src-shared/api/shell.ts';
import { EngineSupervisor } from './supervisor.ts';
import { type ForkRecord, utilityProcessDouble } from './testing/utility-double.ts';

const SMALL_ENGINE = fileURLToPath(new URL('./testing/small-engine.ts', import.meta.url));
const LIMITS = { firstDelayMs: 20, maxDelayMs: 200, maxCrashes: 3, healthyAfterMs: 60_000 };

interface Running {
  readonly supervisor: EngineSupervisor;
  readonly statuses: EngineStatus[];
  readonly events: EngineEvent[];
  readonly forks: ForkRecord[];
  behave(as: 'ok' | 'crash-on-start' | 'refuse'): void;
}

const open: EngineSupervisor[] = [];

function run(as: 'ok' | 'crash-on-start' | 'refuse' = 'ok'): Running {
  let behaviour = as;
  const forks: ForkRecord[] = [];
  const double = utilityProcessDouble(forks, (path) => path);
  const fork = () => double.fork(SMALL_ENGINE, [], { env: { ...process.env, SMALL_ENGINE: behaviour } as never });
  const forkDeviceTest = (request: unknown) =>
    double.fork(SMALL_ENGINE, [], {
      env: { ...process.env, SMALL_ENGINE: 'device-test', DEVICE: String(request) } as never,
    });
  const supervisor = new EngineSupervisor({ fork, forkDeviceTest, limits: LIMITS, closeTimeoutMs: 2000 });
  const statuses: EngineStatus[] = [];
  const events: EngineEvent[] = [];
  supervisor.onStatus((status) => statuses.push(status));
  supervisor.onEvent((event) => events.push(event));
  supervisor.start();
  open.push(supervisor);
  return {
    supervisor,
    statuses,
    events,
    forks,
    behave(next) {
      behaviour = next;
    },
  };
}

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(condition()).toBe(true);
};
const isReady = ({ supervisor }: Running) => supervisor.status.state === 'ready';

afterEach(async () => {
  await Promise.all(open.splice(0).map((supervisor) => supervisor.close()));
});

describe('the engine supervisor', () => {
  it('answers routes and grants through the running engine', async () => {
    const running = run();
    const grant = await running.supervisor.grant('/slides/a.svs');
    expect(grant).toBe('grant-of-13');
    const { body, status } = await running.supervisor.route('GET', '/thumbnail/x');
    expect(status).toBe(200);
    expect(Buffer.from(body).toString()).toBe('answer to /thumbnail/x');
  });

  it('rejects what is in flight as EngineCrashed when the engine is killed, then starts it again', async () => {
    const running = run();
    await until(() => isReady(running));
    const inFlight = running.supervisor.route('GET', '/silence');
    const rejected = expect(inFlight).rejects.toMatchObject({ code: 'EngineCrashed' });
    process.kill(running.supervisor.pid ?? 0, 'SIGKILL');
    await rejected;
    expect(running.supervisor.status).toMatchObject({ state: 'restarting', generation: 1, retryInMs: 20 });
    await expect(running.supervisor.route('GET', '/tile')).rejects.toMatchObject({ code: 'EngineCrashed' });
    // A grant asked for meanwhile waits for the next engine.
    await expect(running.supervisor.grant('/a.svs')).resolves.toBe('grant-of-6');
    expect(running.supervisor.status).toMatchObject({ state: 'ready', generation: 2, error: null });
  });

  it('backs off, gives up after three crashes in a row, and starts again when the user asks', async () => {
    const running = run('crash-on-start');
    const waiting = expect(running.supervisor.grant('/a.svs')).rejects.toMatchObject({ code: 'EngineCrashed' });
    await until(() => running.supervisor.status.state === 'failed');
    await waiting;
    expect(running.forks).toHaveLength(3);
    expect(running.statuses.filter(({ state }) => state === 'restarting').map(({ retryInMs }) => retryInMs)).toEqual([
      20, 40,
    ]);
    expect(running.supervisor.status.error?.message).toContain('3 times');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(running.forks).toHaveLength(3);
    running.behave('ok');
    running.supervisor.restart();
    await until(() => isReady(running));
    expect(running.supervisor.status.generation).toBe(4);
  });

  it('does not start an engine again that says it cannot start, and shows its sentence', async () => {
    const running = run('refuse');
    await until(() => running.supervisor.status.state === 'failed');
    expect(running.forks).toHaveLength(1);
    expect(running.supervisor.status.error).toMatchObject({ code: 'StoreTooNew', advice: 'Update.' });
    await expect(running.supervisor.grant('/a.svs')).rejects.toMatchObject({ code: 'StoreTooNew' });
  });

  it('continues the jobs that ran when the engine died, once; a job that kills it again is left alone', async () => {
    const running = run();
    await until(() => isReady(running));
    await running.supervisor.route('GET', '/run/job-1');
    await expect(running.supervisor.route('GET', '/crash')).rejects.toMatchObject({ code: 'EngineCrashed' });
    await until(() => isReady(running) && running.events.length === 2);
    expect(running.events.map((event) => event.type === 'job' && event.job.id)).toEqual(['job-1', 'job-1']);
    await expect(running.supervisor.route('GET', '/crash')).rejects.toMatchObject({ code: 'EngineCrashed' });
    await until(() => isReady(running));
    await running.supervisor.route('GET', '/anything');
    expect(running.events).toHaveLength(2);
  });

  it('tries a device for the engine in a process of its own, whose death is an answer', async () => {
    const running = run();
    const tried = async (device: string): Promise<unknown> => {
      const { body } = await running.supervisor.route('GET', `/try/${device}`);
      return JSON.parse(Buffer.from(body).toString());
    };
    expect(await tried('good')).toEqual({ outcome: { ok: true, device: 'good' }, died: '' });
    expect(await tried('deadly')).toEqual({ outcome: null, died: 'its driver ended the test process (exit code 139)' });
    expect(running.supervisor.status).toMatchObject({ state: 'ready', generation: 1 });
  });

  it('closes the engine and does not take that for a crash', async () => {
    const running = run();
    await until(() => isReady(running));
    await running.supervisor.close();
    expect(running.forks[0]?.child.exitCode).toBe(0);
    expect(running.statuses.map(({ state }) => state)).toEqual(['starting', 'ready']);
    await expect(running.supervisor.grant('/a.svs')).rejects.toMatchObject({ code: 'EngineCrashed' });
  });
});
