import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../src-shared/api/events.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { JobId, RunId, SlideId } from '../../../src-shared/model/ids.ts';
import { asId } from '../../../src-shared/model/ids.ts';
import type { Job } from '../../../src-shared/model/job.ts';
import { openStore } from '../store/open-store.ts';
import type { OpenedStore } from '../store/store.ts';
import { startChild } from '../store/testing/child.ts';
import { temporaryFolder } from '../store/testing/samples.ts';
import { type JobContext, type JobQueue, type JobRequest, type JobRunner, openJobQueue } from './queue.ts';

const slideId = asId<SlideId>('a'.repeat(64));

function request(title: string, payload: unknown = {}): JobRequest {
  return { kind: 'analyse', title, slideId, runId: asId<RunId>(title), payload };
}

/** A runner whose jobs go on until the test says so. */
class HeldRunner implements JobRunner {
  readonly lane = 'inference';
  readonly resumable = true;
  readonly started: { payload: unknown; context: JobContext }[] = [];
  private readonly ends: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  run(payload: unknown, context: JobContext): Promise<void> {
    this.started.push({ payload, context });
    return new Promise((resolve, reject) => {
      this.ends.push({ resolve, reject });
      context.signal.addEventListener('abort', () => reject(context.signal.reason));
    });
  }

  finish(index: number): void {
    this.ends[index]?.resolve();
  }

  fail(index: number, error: unknown): void {
    this.ends[index]?.reject(error);
  }
}

/** Patient, for machines that are busy with other things. */
const eventually = (read: () => unknown) => expect.poll(read, { timeout: 20_000 });

describe('the job queue', () => {
  let folder: string;
  let store: OpenedStore;
  let runner: HeldRunner;
  let demo: HeldRunner;
  let events: Job[];
  let queue: JobQueue;

  const open = async (): Promise<JobQueue> => {
    const emit = (event: EngineEvent): void => {
      if (event.type === 'job') events.push(event.job);
    };
    const runners = {
      analyse: runner,
      compare: runner,
      'fine-tune': runner,
      'make-task': runner,
      extract: runner,
      study: runner,
      'demo-slide': { ...lanes(demo), lane: 'demo', resumable: false },
      download: { ...lanes(demo), lane: 'download', resumable: true },
    };
    return openJobQueue({ store, runners, emit });
  };

  const lanes = (held: HeldRunner): Pick<JobRunner, 'run'> => ({ run: (...args) => held.run(...args) });

  const stateOf = (id: JobId): string | undefined => queue.get(id)?.state;

  const restart = async (): Promise<void> => {
    await store.close();
    store = await openStore({ folder, onThread: false });
    runner = new HeldRunner();
    events = [];
    queue = await open();
  };

  beforeEach(async () => {
    folder = temporaryFolder();
    store = await openStore({ folder, onThread: false });
    runner = new HeldRunner();
    demo = new HeldRunner();
    events = [];
    queue = await open();
  });

  afterEach(async () => {
    await queue.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  it('runs the jobs of a lane one at a time, in order, and another lane beside it', async () => {
    const a = await queue.enqueue(request('a', { tiles: 3 }));
    const b = await queue.enqueue(request('b'));
    const c = await queue.enqueue({ ...request('c'), kind: 'demo-slide' });
    expect([a, b, c].map(({ id }) => stateOf(id))).toEqual(['running', 'queued', 'running']);
    expect(runner.started.map(({ payload }) => payload)).toEqual([{ tiles: 3 }]);
    expect(queue.activeJobOf(asId<RunId>('b'))?.id).toBe(b.id);
    runner.finish(0);
    await eventually(() => stateOf(b.id)).toBe('running');
    expect(queue.get(a.id)).toMatchObject({ state: 'done', resumable: false, error: null });
    runner.finish(1);
    await eventually(() => queue.activeJobOf(asId<RunId>('b'))).toBeNull();
    expect(queue.list().map(({ title }) => title)).toEqual(['c', 'b', 'a']);
    expect((await store.listJobs()).map(({ job }) => job.state)).toEqual(['running', 'done', 'done']);
  });

  it('cancels a running job through its signal, and a waiting one before it starts', async () => {
    const a = await queue.enqueue(request('a'));
    const b = await queue.enqueue(request('b'));
    await queue.cancel(b.id);
    await queue.cancel(a.id);
    expect(runner.started).toHaveLength(1);
    expect([a, b].map(({ id }) => stateOf(id))).toEqual(['cancelled', 'cancelled']);
    expect(queue.get(a.id)).toMatchObject({ error: null, resumable: true });
    await queue.cancel(a.id);
    await expect(queue.cancel(asId<JobId>('nobody'))).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('keeps the sentence of a failed job and goes on with the next', async () => {
    const a = await queue.enqueue(request('a'));
    const b = await queue.enqueue(request('b'));
    runner.fail(0, new AppError('DiskFull', 'The disk is full.', { advice: 'Free some space.' }));
    await eventually(() => stateOf(b.id)).toBe('running');
    expect(queue.get(a.id)).toMatchObject({
      state: 'failed',
      resumable: true,
      error: { code: 'DiskFull', message: 'The disk is full.', advice: 'Free some space.' },
    });
    const again = await queue.resume(a.id);
    expect(again).toMatchObject({ id: a.id, state: 'queued', error: null });
    await expect(queue.resume(a.id)).rejects.toMatchObject({ code: 'JobNotResumable' });
    runner.finish(1);
    await eventually(() => stateOf(a.id)).toBe('running');
    runner.finish(2);
    await eventually(() => stateOf(a.id)).toBe('done');
  });

  it('tells of progress at most five times a second, the last report included', async () => {
    const { id } = await queue.enqueue(request('a'));
    const context = runner.started[0]?.context;
    const startMs = performance.now();
    for (let done = 1; done <= 200; done++) {
      context?.report({ stage: 'Reading tiles', done, total: 400 });
      if (done % 10 === 0) await sleep(25);
    }
    const spentS = (performance.now() - startMs) / 1000;
    await sleep(250);
    const told = events.filter((job) => job.state === 'running');
    expect(told.length).toBeLessThanOrEqual(Math.ceil(spentS * 5) + 3);
    expect(told.length).toBeGreaterThanOrEqual(3);
    expect(told.at(-1)?.progress).toMatchObject({ stage: 'Reading tiles', done: 200, total: 400 });
    const { perSecond, secondsLeft } = queue.get(id)?.progress ?? { perSecond: null, secondsLeft: null };
    expect((perSecond ?? 0) / (200 / spentS)).toBeGreaterThan(0.5);
    expect((perSecond ?? 0) / (200 / spentS)).toBeLessThan(2);
    expect(secondsLeft).toBeCloseTo(200 / (perSecond ?? 1), 6);
    runner.finish(0);
    await eventually(() => events.at(-1)?.state).toBe('done');
    context?.report({ stage: 'too late', done: 0, total: 0 });
    await sleep(250);
    expect(queue.get(id)?.progress.stage).toBe('Reading tiles');
  });

  it('leaves running and waiting jobs interrupted when it closes, and resumes them with their payload', async () => {
    const a = await queue.enqueue(request('a', { tiles: [1, 2] }));
    const b = await queue.enqueue(request('b'));
    await queue.close();
    await expect(queue.enqueue(request('c'))).rejects.toMatchObject({ code: 'Cancelled' });
    await restart();
    expect([a, b].map(({ id }) => queue.get(id))).toMatchObject([
      { state: 'interrupted', resumable: true },
      { state: 'interrupted', resumable: true },
    ]);
    await queue.resume(a.id);
    expect(runner.started[0]?.payload).toEqual({ tiles: [1, 2] });
  });

  it('finds a job that was running at a kill -9 interrupted and resumable', async () => {
    await store.close();
    const child = startChild('../../job/testing/worker.ts', [folder]);
    const id = asId<JobId>(await child.line());
    child.process.kill('SIGKILL');
    await child.ended();
    store = await openStore({ folder, onThread: false });
    expect((await store.getJob(id))?.job.state).toBe('running');
    queue = await open();
    expect(queue.get(id)).toMatchObject({ state: 'interrupted', resumable: true, title: 'to be killed' });
    await queue.resume(id);
    expect(runner.started[0]?.payload).toEqual({ of: 'a killed process' });
  });

  it('cannot resume what its runner cannot continue', async () => {
    const { id } = await queue.enqueue({ ...request('a'), kind: 'demo-slide' });
    await queue.cancel(id);
    await expect(queue.resume(id)).rejects.toMatchObject({ code: 'JobNotResumable' });
  });

  it('stops and removes the jobs of a slide before it is forgotten', async () => {
    const a = await queue.enqueue(request('a'));
    const b = await queue.enqueue({ ...request('b'), slideId: asId<SlideId>('b'.repeat(64)) });
    await queue.removeJobsOf(slideId);
    expect(runner.started[0]?.context.signal.aborted).toBe(true);
    expect(queue.get(a.id)).toBeNull();
    await eventually(() => stateOf(b.id)).toBe('running');
    expect((await store.listJobs()).map(({ job }) => job.id)).toEqual([b.id]);
  });

  it('does not take a job the store cannot keep', async () => {
    const full = new AppError('DiskFull', 'The disk is full.');
    const putJob = (): Promise<void> => Promise.reject(full);
    const unkept = await openJobQueue({
      store: {
        ...{ putJob, listJobs: () => store.listJobs(), removeJob: (id) => store.removeJob(id) },
        ...{ getSetting: (key) => store.getSetting(key), setSetting: (key, value) => store.setSetting(key, value) },
      },
      runners: {
        analyse: runner,
        compare: runner,
        'fine-tune': runner,
        'make-task': runner,
        extract: runner,
        study: runner,
        'demo-slide': demo,
        download: demo,
      },
      emit: () => undefined,
    });
    await expect(unkept.enqueue(request('a'))).rejects.toBe(full);
    expect(unkept.list()).toEqual([]);
    expect(runner.started).toEqual([]);
  });
});
