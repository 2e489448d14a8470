import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../src-shared/api/events.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { Job, JobKind } from '../../../src-shared/model/job.ts';
import { openStore } from '../store/open-store.ts';
import type { OpenedStore } from '../store/store.ts';
import { temporaryFolder } from '../store/testing/samples.ts';
import { type JobQueue, type JobRequest, type JobRunner, openJobQueue } from './queue.ts';

/** Runs jobs until the test ends them; remembers who was started. */
class HeldRunner {
  readonly started: string[] = [];
  readonly #ends = new Map<string, () => void>();

  as(background: boolean): JobRunner {
    return {
      ...{ lane: 'inference', resumable: true, background },
      run: (payload, { signal }) => {
        const name = String(payload);
        this.started.push(name);
        return new Promise((resolve, reject) => {
          this.#ends.set(name, resolve);
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    };
  }

  finish(name: string): void {
    this.#ends.get(name)?.();
  }
}

const request = (title: string, kind: JobKind = 'extract'): JobRequest => ({
  ...{ kind, title, slideId: null, runId: null, payload: title },
  size: { done: 0, total: 100 },
});

const eventually = (read: () => unknown) => expect.poll(read, { timeout: 20_000 });

describe('background jobs', () => {
  let folder: string;
  let store: OpenedStore;
  let runner: HeldRunner;
  let events: EngineEvent[];
  let queue: JobQueue;

  const open = async (goesOn: boolean): Promise<void> => {
    runner = new HeldRunner();
    events = [];
    const front = runner.as(false);
    const others = {
      analyse: front,
      compare: front,
      'fine-tune': front,
      'make-task': front,
      download: front,
      study: front,
      'demo-slide': front,
    };
    const runners = { extract: runner.as(true), ...others };
    queue = await openJobQueue({ store, runners, goesOn, emit: (event) => events.push(event) });
  };

  /** As after a kill: nothing is ended in good order. */
  const killAndOpen = async (goesOn: boolean): Promise<void> => {
    const records = await store.listJobs();
    await queue.close();
    for (const record of records) await store.putJob(record);
    await open(goesOn);
  };

  const named = (title: string): Job => {
    const job = queue.list().find((each) => each.title === title);
    if (job === undefined) throw new Error(`no job ${title}`);
    return job;
  };
  const states = (...titles: readonly string[]) => titles.map((title) => named(title).state);
  const waitingInOrder = () =>
    queue
      .list()
      .filter(({ state }) => state === 'queued')
      .sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
      .map(({ title }) => title);

  beforeEach(async () => {
    folder = temporaryFolder();
    store = await openStore({ folder, onThread: false });
    await open(true);
  });

  afterEach(async () => {
    await queue.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  it('know their size before they start', async () => {
    await queue.enqueue(request('a'));
    await queue.enqueue({ ...request('b'), size: { done: 30, total: 100 } });
    expect(named('b')).toMatchObject({ state: 'queued', progress: { done: 30, total: 100 } });
  });

  it('can be put elsewhere in the queue, which a restart remembers', async () => {
    for (const title of ['a', 'b', 'c', 'd']) await queue.enqueue(request(title));
    expect(states('a')).toEqual(['running']);
    await queue.move(named('d').id, 'first');
    expect(waitingInOrder()).toEqual(['d', 'b', 'c']);
    await queue.move(named('b').id, 'down');
    await queue.move(named('d').id, 'up');
    expect(waitingInOrder()).toEqual(['d', 'c', 'b']);
    await queue.move(named('d').id, 'last');
    expect(waitingInOrder()).toEqual(['c', 'b', 'd']);
    await queue.move(named('a').id, 'last');
    await killAndOpen(true);
    expect(runner.started).toEqual(['a']);
    expect(waitingInOrder()).toEqual(['c', 'b', 'd']);
    runner.finish('a');
    await eventually(() => runner.started).toEqual(['a', 'c']);
  });

  it('give way to a job in front, in mid-run, and go on after it', async () => {
    await queue.enqueue(request('archive'));
    await queue.enqueue(request('archive 2'));
    await queue.enqueue(request('mine', 'analyse'));
    await eventually(() => runner.started).toEqual(['archive', 'mine']);
    expect(states('archive', 'mine')).toEqual(['queued', 'running']);
    expect(named('archive')).toMatchObject({ resumable: false, finishedAtMs: null });
    runner.finish('mine');
    await eventually(() => runner.started).toEqual(['archive', 'mine', 'archive']);
  });

  it('can be paused as a whole, over a restart; what stands in front runs all the same', async () => {
    await queue.enqueue(request('a'));
    await queue.enqueue(request('b'));
    await queue.setPaused(true);
    expect(states('a', 'b')).toEqual(['queued', 'queued']);
    expect(events).toContainEqual({ type: 'queue', queue: { paused: true } });
    await queue.enqueue(request('mine', 'analyse'));
    expect(states('mine')).toEqual(['running']);
    runner.finish('mine');
    await eventually(() => states('mine')).toEqual(['done']);
    await killAndOpen(true);
    expect(queue.state).toEqual({ paused: true });
    expect(runner.started).toEqual([]);
    await queue.setPaused(false);
    expect(runner.started).toEqual(['a']);
  });

  it('go on by themselves after a kill or a closing, and only where that is wanted', async () => {
    await queue.enqueue(request('a'));
    await queue.enqueue(request('b'));
    await killAndOpen(true);
    expect(states('a', 'b')).toEqual(['running', 'queued']);
    await queue.close();
    expect((await store.listJobs()).map(({ job }) => job.state)).toEqual(['queued', 'queued']);
    await open(true);
    expect(runner.started).toEqual(['a']);
    expect(named('a').kills).toBe(1);
    await killAndOpen(false);
    expect(runner.started).toEqual([]);
    expect(queue.list()).toMatchObject([
      { state: 'interrupted', resumable: true },
      { state: 'interrupted', resumable: true },
    ]);
  });

  it('are left out when Hyaline was killed three times over them; trying again forgets that', async () => {
    await queue.enqueue(request('deadly'));
    await queue.enqueue(request('b'));
    for (let kill = 0; kill < 3; kill++) await killAndOpen(true);
    expect(named('deadly')).toMatchObject({ state: 'failed', resumable: true, error: { code: 'EngineCrashed' } });
    expect(runner.started).toEqual(['b']);
    await queue.resume(named('deadly').id);
    expect(named('deadly')).toMatchObject({ state: 'queued', error: null });
    expect(named('deadly').kills).toBeUndefined();
  });

  it('are all cancelled or removed without another one starting on the way', async () => {
    for (const title of ['a', 'b', 'c']) await queue.enqueue(request(title));
    await queue.cancelAll(queue.list().map(({ id }) => id));
    expect(states('a', 'b', 'c')).toEqual(['cancelled', 'cancelled', 'cancelled']);
    expect(runner.started).toEqual(['a']);
    const ids = [named('a').id, named('c').id];
    await queue.remove(ids);
    expect(queue.list().map(({ title }) => title)).toEqual(['b']);
    expect((await store.listJobs()).map(({ job }) => job.title)).toEqual(['b']);
    expect(events.at(-1)).toEqual({ type: 'jobs-removed', jobIds: ids });
  });

  it('that could not even be begun are kept with their reason, and can be tried again', async () => {
    await queue.enqueueFailed(request('bad'), new AppError('NoTissue', 'There is no tissue.'));
    expect(named('bad')).toMatchObject({ state: 'failed', resumable: true, error: { code: 'NoTissue' } });
    await killAndOpen(true);
    expect(states('bad')).toEqual(['failed']);
    await queue.resume(named('bad').id);
    expect(runner.started).toEqual(['bad']);
  });
});
