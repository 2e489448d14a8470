import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSynthetic } from '../../src-main/engine/slide/synthetic/write-synthetic.ts';
import { type RunningShell, runShell } from '../../src-main/shell/testing/run-shell.ts';
import { DEVICE_TEST_ARGUMENT } from '../../src-shared/api/engine-link.ts';
import { routes } from '../../src-shared/api/routes.ts';
import type { GrantedFile, ShellResult } from '../../src-shared/api/shell.ts';
import type { BackboneId, JobId, RunId } from '../../src-shared/model/ids.ts';
import type { Job } from '../../src-shared/model/job.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../src-shared/model/run.ts';
import type { Slide } from '../../src-shared/model/slide.ts';
import type { EngineConnection } from '../../src-shared/rpc/client.ts';
import { builtApplication } from './application.ts';
import { connectPage, until } from './page-double.ts';

/**
 * The real shell modules under the double of Electron, with the built engine in a process of its own behind them. What
 * the double cannot show (Electron's own sandbox, its scheme handling) is left to main-job.test.ts.
 */
let application: Awaited<ReturnType<typeof builtApplication>>;
let running: RunningShell;
let page: EngineConnection;
let slide: Slide;
let backboneId: BackboneId;

beforeAll(async () => {
  application = await builtApplication();
  running = await runShell({ appFolder: application.folder });
  const path = join(running.folder, 'slide.tif');
  await writeSynthetic({ outPath: path, widthPx: 4096, heightPx: 4096, seed: 7, lesions: 0 });
  page = await connectPage(running);
  const granted = (await running.call('grantForPath', path)) as ShellResult<GrantedFile>;
  if (!granted.ok) throw new Error(granted.error.message);
  slide = await page.engine.openSlide(granted.value.grant);
  backboneId = (await page.engine.listBackbones())[0]?.id as BackboneId;
});
afterAll(async () => {
  await running?.close();
  application?.dispose();
});

const jobsOf = (connection: EngineConnection): Map<JobId, Job> => {
  const jobs = new Map<JobId, Job>();
  connection.onEvent((event) => {
    if (event.type === 'job') jobs.set(event.job.id, event.job);
  });
  return jobs;
};

const analysis = (strideUm: number) => ({
  slideId: slide.id,
  backboneId,
  cut: null,
  grid: { ...DEFAULT_GRID, strideUm },
  tissue: DEFAULT_TISSUE,
});

describe('the engine behind the shell', () => {
  it('knows that Electron runs it, and lets nobody browse folders', async () => {
    expect(await page.engine.about()).toMatchObject({ host: 'electron', canBrowse: false });
    await expect(page.engine.browseFolder(null)).rejects.toMatchObject({ code: 'NotAllowed' });
  });

  it('tries devices in processes of their own, which the main process starts for it', async () => {
    const { device } = await page.engine.about();
    const tested = running.double.forks.filter(({ args }) => args[0] === DEVICE_TEST_ARGUMENT);
    const couldBeTried = device.refused.filter(({ reason }) => !/not part of this installation|exists on/.test(reason));
    expect(tested.length).toBe(couldBeTried.length + (device.name === 'CPU' ? 0 : 1));
    for (const { reason } of device.refused) expect(reason).not.toMatch(/could not be started|cannot be tested/);
    await until('their ends', () => tested.every(({ child }) => child.exitCode !== null || child.signalCode !== null));
  });

  it('opens a dropped slide and serves its tiles over app://hyaline/', async () => {
    expect(slide.name).toBe('slide.tif');
    const response = await running.double.fetch(`app://hyaline${routes.tile(slide.id, 0, 3, 3)}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/jpeg');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect([...bytes.subarray(0, 2), ...bytes.subarray(-2)]).toEqual([0xff, 0xd8, 0xff, 0xd9]);
    const missing = await running.double.fetch(`app://hyaline${routes.tile('0'.repeat(64) as Slide['id'], 0, 0, 0)}`);
    expect(missing.status).toBe(404);
  });

  it('takes no grant that it has not given out itself', async () => {
    for (const forged of ['../../etc/passwd', '/etc/passwd', 'f'.repeat(32)]) {
      await expect(page.engine.openSlide(forged as GrantedFile['grant'])).rejects.toMatchObject({
        code: expect.stringMatching(/NotAllowed|NotFound|InvalidRequest/),
      });
    }
  });

  it('is reached by calls only: what a page may try with Comlink beyond that is refused', async () => {
    const { sent } = running.window().contents;
    await running.call('connectEngine');
    const port = sent.at(-1)?.ports[0];
    const answers: unknown[] = [];
    port?.on('message', ({ data }: { data: unknown }) => answers.push(data));
    port?.start();
    const value = { type: 'RAW', value: 'return process' };
    port?.postMessage({ id: '1', type: 'SET', path: ['about', '__proto__', 'polluted'], value });
    port?.postMessage({ id: '2', type: 'CONSTRUCT', path: ['about', 'constructor'], argumentList: [value] });
    port?.postMessage({ id: '3', type: 'GET', path: ['about'] });
    port?.postMessage({ id: '4', type: 'APPLY', path: ['close'], argumentList: [] });
    await until('four answers', () => answers.length >= 4);
    for (const answer of answers) expect(answer).toMatchObject({ value: { ok: false, error: { code: 'NotAllowed' } } });
    expect(await page.engine.about()).toMatchObject({ host: 'electron' });
  });

  it('saves an export through the native dialog, byte for byte', async () => {
    const jobs = jobsOf(page);
    const { runId, jobId } = await page.engine.startAnalysis(analysis(448));
    await until('the analysis', () => jobId === null || jobs.get(jobId)?.state === 'done', 180_000);
    const exported = await page.engine.exportTilesCsv(runId, []);
    const target = join(running.folder, 'tiles.csv');
    running.double.answers.save = target;
    expect(await running.call('saveExport', exported.id, exported.fileName)).toMatchObject({ ok: true });
    const direct = await running.double.fetch(`app://hyaline${routes.download(exported.id)}`);
    expect(readFileSync(target)).toEqual(Buffer.from(await direct.arrayBuffer()));
  });
});

describe('when the engine is killed in the middle of a job', () => {
  it('calls in flight fail as EngineCrashed, the engine comes back, and the job goes on to its end', async () => {
    const jobs = jobsOf(page);
    const statuses: string[] = [];
    running.shell?.supervisor.onStatus(({ state }) => statuses.push(state));
    const { runId, jobId } = (await page.engine.startAnalysis(analysis(112))) as { runId: RunId; jobId: JobId };
    // A chunk of 64 tiles is stored as it is done.
    await until('a stored chunk', () => (jobs.get(jobId)?.progress.done ?? 0) > 64, 120_000);
    expect(running.window().progress.at(-1)).toBeGreaterThan(0);
    expect(running.double.calls.map(({ name }) => name)).toContain('powerSaveBlocker.start');

    const inFlight = page.engine.previewGrid(slide.id, { ...DEFAULT_TISSUE, maskMpp: 4 }, DEFAULT_GRID, null);
    const rejected = expect(inFlight).rejects.toMatchObject({ code: 'EngineCrashed' });
    process.kill(running.shell?.supervisor.pid ?? 0, 'SIGKILL');
    await rejected;
    await expect(page.engine.about()).rejects.toMatchObject({ code: 'EngineCrashed' });
    await until('the next engine', () => running.shell?.supervisor.status.state === 'ready');
    expect(statuses).toEqual(['restarting', 'starting', 'ready']);

    page = await connectPage(running);
    const seen: number[] = [];
    page.onEvent((event) => {
      if (event.type === 'job' && event.job.id === jobId && event.job.progress.total > 0)
        seen.push(event.job.progress.done);
    });
    const state = async (): Promise<Job | undefined> => (await page.engine.listJobs()).find(({ id }) => id === jobId);
    // The new engine finds it interrupted and takes it up by itself.
    await until('the job to go on', async () => /running|queued|done/.test((await state())?.state ?? ''));
    await until('the end of the job', async () => (await state())?.state === 'done', 240_000);
    // It went on from what was stored, and did not begin again.
    expect(Math.min(...seen.filter((done) => done > 0))).toBeGreaterThanOrEqual(64);
    const run = (await page.engine.listRuns(slide.id)).find(({ id }) => id === runId);
    expect(run?.state).toBe('done');
    expect((await running.double.fetch(`app://hyaline${routes.tile(slide.id, 0, 0, 0)}`)).status).toBe(200);
  });

  it('three crashes in a row end in a sentence, and the user can start it again', async () => {
    for (let crash = 1; crash <= 3; crash++) {
      await until('a running engine', () => running.shell?.supervisor.status.state === 'ready');
      process.kill(running.shell?.supervisor.pid ?? 0, 'SIGKILL');
      await until('the crash', () => running.shell?.supervisor.status.state !== 'ready');
      if (running.shell?.supervisor.status.state === 'failed') break;
    }
    const status = await running.call('engineStatus');
    expect(status).toMatchObject({ ok: true, value: { state: 'failed', error: { code: 'EngineCrashed' } } });
    expect(await running.call('connectEngine')).toMatchObject({ ok: false, error: { code: 'EngineCrashed' } });
    const tile = await running.double.fetch(`app://hyaline${routes.tile(slide.id, 0, 0, 0)}`);
    expect(tile.status).toBe(503);
    await running.call('restartEngine');
    await until('the engine', () => running.shell?.supervisor.status.state === 'ready');
    page = await connectPage(running);
    expect((await page.engine.listSlides()).map(({ id }) => id)).toEqual([slide.id]);
  });
});

describe('at the end', () => {
  it('the engine releases its store, which another instance can open at once', async () => {
    const store = join(running.folder, 'store');
    running.window().close();
    await until('the exit', () => running.double.calls.some(({ name }) => name === 'exit'));
    expect(running.double.forks.at(-1)?.child.exitCode).toBe(0);
    const next = await runShell({
      appFolder: application.folder,
      folder: running.folder,
      env: { HYALINE_STORE: store },
    });
    const connection = await connectPage(next);
    expect((await connection.engine.listSlides()).map(({ id }) => id)).toEqual([slide.id]);
    await next.shell?.supervisor.close();
  });
});
