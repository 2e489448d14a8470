import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../src-shared/api/events.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { connectEngine } from '../../../src-shared/rpc/client.ts';
import { installation } from '../installation.ts';
import { writeTinySlide } from '../testing/tiny-slide.ts';
import { EngineSupervisor } from './engine-supervisor.ts';

let folder: string;
let supervisor: EngineSupervisor;
const lines: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-crash-'));
  await writeTinySlide(join(folder, 'tiny.tif'));
  supervisor = new EngineSupervisor({
    start: {
      storeFolder: join(folder, 'store'),
      resourcesFolder: installation.resourcesFolder,
      host: 'web',
      threads: 1,
    },
    entry: new URL('../testing/mortal-engine-thread.ts', import.meta.url),
    log: (line) => lines.push(line),
    backOffMs: 50,
  });
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.close();
  await rm(folder, { recursive: true, force: true });
});

describe('an engine that dies in the middle of an analysis', () => {
  it('comes back with its store, and the analysis goes on to its end by itself', async () => {
    const first = connectEngine(supervisor.connect());
    const slide = await first.engine.openSlide(await supervisor.grant(join(folder, 'tiny.tif')));
    await first.engine.setSlideMpp(slide.id, 0.5);
    const backbone = (await first.engine.listBackbones()).find(({ name }) => name === 'random-resnet18');
    if (backbone === undefined) {
      throw new Error('random-resnet18 is missing');
    }
    const running = new Promise<void>((resolve) => {
      supervisor.onEvent((event: EngineEvent) => {
        if (event.type === 'job' && event.job.state === 'running') {
          resolve();
        }
      });
    });
    const { runId, jobId } = await first.engine.startAnalysis({
      slideId: slide.id,
      backboneId: backbone.id,
      cut: null,
      grid: { ...DEFAULT_GRID, strideUm: 42, minTissueFraction: 0 },
      tissue: DEFAULT_TISSUE,
    });
    await running;
    const lost = first.engine.getMap(runId, { kind: 'pca' }).catch((error: unknown) => error);
    await expect(supervisor.request({ method: 'GET', path: '/crash' })).rejects.toMatchObject({
      code: 'EngineCrashed',
    });
    expect(await lost).toMatchObject({ code: expect.stringMatching(/EngineCrashed|NotFound|InvalidRequest/) });
    await expect.poll(() => lines.at(-1), { timeout: 20_000 }).toBe('The engine is running again.');

    const second = connectEngine(supervisor.connect());
    expect((await second.engine.listSlides()).map(({ id }) => id)).toEqual([slide.id]);
    const state = async () => (await second.engine.listJobs()).find(({ id }) => id === jobId)?.state;
    await expect.poll(state, { timeout: 50_000, interval: 200 }).toBe('done');
    const [run] = await second.engine.listRuns(slide.id);
    expect(run).toMatchObject({ id: runId, state: 'done' });
    expect(run?.tilesDone).toBe(run?.tileCount);
  });
});
