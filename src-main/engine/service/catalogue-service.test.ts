import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MIRROR_SETTING } from '../../../src-shared/model/backbone.ts';
import type { JobId } from '../../../src-shared/model/ids.ts';
import type { Job } from '../../../src-shared/model/job.ts';
import { safetensorsOf } from '../backbone/testing/checkpoint-file.ts';
import { createEngine } from '../create-engine.ts';
import type { Engine } from '../engine.ts';
import { scratchFolder } from '../slide/test-files.ts';

const NAME = 'timm-resnet18';
const FILE = safetensorsOf('resnet18', '');
const SHA256 = createHash('sha256').update(FILE).digest('hex');
const FIRST_BYTES = 3_000_000;

/** What the mock hub does: answer whole, hold back the end, or refuse. */
let behaviour: 'whole' | 'slow' | 'gated';
let ranges: string[];
let server: Server;
let scratch: ReturnType<typeof scratchFolder>;
let engine: Engine;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (behaviour === 'gated') {
      response.writeHead(request.url?.includes('densenet') ? 401 : 403).end();
      return;
    }
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const [start, end] = [Number(range?.[1] ?? 0), range?.[2] ? Number(range[2]) : FILE.length - 1];
    if (end > 0) ranges.push(request.headers.range ?? 'whole');
    const body = FILE.subarray(start, end + 1);
    const facts = { ETag: `"${SHA256}"`, 'Content-Length': body.length };
    if (range) response.writeHead(206, { ...facts, 'Content-Range': `bytes ${start}-${end}/${FILE.length}` });
    else response.writeHead(200, facts);
    if (behaviour === 'slow' && end > 0) response.write(body.subarray(0, FIRST_BYTES));
    else response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scratch = scratchFolder();
  engine = await open();
});
afterAll(async () => {
  await engine.close();
  scratch.remove();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  behaviour = 'whole';
  ranges = [];
});

function open(): Promise<Engine> {
  const hubUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return createEngine({
    storeFolder: join(scratch.path, 'store'),
    ...{ resourcesFolder: 'resources', host: 'cli', threads: 1, hubUrl },
  });
}

/** Waits for a job to be as wanted. */
function jobWhere(id: JobId, wanted: (job: Job) => boolean): Promise<Job> {
  return new Promise((resolve) => {
    const see = (job: Job | undefined): void => {
      if (job !== undefined && job.id === id && wanted(job)) {
        stop();
        resolve(job);
      }
    };
    const stop = engine.subscribe((event) => see(event.type === 'job' ? event.job : undefined));
    void engine.api.listJobs().then((jobs) => see(jobs.find((job) => job.id === id)));
  });
}
const ended = (id: JobId): Promise<Job> => jobWhere(id, ({ state }) => state !== 'queued' && state !== 'running');
const entry = async (name = NAME) => (await engine.api.listCatalogue()).items.find((item) => item.name === name);
const part = (): string => join(scratch.path, 'store/backbones/downloads', NAME, 'model.safetensors.part');

describe('a download', () => {
  it('is discarded with what has arrived', async () => {
    behaviour = 'slow';
    const id = await engine.api.startDownload(NAME);
    await jobWhere(id, ({ progress }) => progress.done >= FIRST_BYTES);
    await engine.api.discardDownload(NAME);
    expect(readdirSync(join(scratch.path, 'store/backbones/downloads'))).not.toContain(NAME);
    expect((await entry())?.jobId).toBeNull();
    await expect(engine.api.discardDownload('../..')).rejects.toMatchObject({ code: 'NotFound' });
  });

  it.each(['timm-densenet121', 'phikon'])('of a gated model says where to ask: %s', async (name) => {
    behaviour = 'gated';
    const { error, state } = await ended(await engine.api.startDownload(name));
    expect(state).toBe('failed');
    expect(error?.code).toBe('NotAllowed');
    expect(error?.advice).toContain((await entry(name))?.page);
    expect(existsSync(join(scratch.path, 'store/backbones/downloads', name, 'model.safetensors.part'))).toBe(false);
  });

  it('is stopped by the user, goes on after a restart where it was, and ends as a registered backbone', async () => {
    behaviour = 'slow';
    const first = await engine.api.startDownload(NAME);
    const begun = await jobWhere(first, ({ progress }) => progress.done >= FIRST_BYTES);
    expect(begun.progress).toMatchObject({ stage: 'Downloading', total: FILE.length });
    expect((await entry())?.jobId).toBe(first);
    expect(await engine.api.startDownload(NAME)).toBe(first);
    await engine.api.cancelJob(first);
    expect(await ended(first)).toMatchObject({ state: 'cancelled', resumable: true });
    const kept = statSync(part()).size;
    expect(kept).toBeGreaterThanOrEqual(FIRST_BYTES - 65_536);

    const second = await engine.api.startDownload(NAME);
    await jobWhere(second, ({ progress }) => progress.done > kept);
    await engine.close();
    engine = await open();
    const grown = statSync(part()).size;
    expect(grown).toBeGreaterThan(kept);
    // Nothing uses the network by itself: the job waits for the user.
    const interrupted = (await engine.api.listJobs()).find(({ id }) => id === second);
    expect(interrupted).toMatchObject({ state: 'interrupted', resumable: true });

    behaviour = 'whole';
    const third = await engine.api.startDownload(NAME);
    expect(await ended(third)).toMatchObject({ state: 'done', error: null });
    expect(ranges).toEqual(['whole', `bytes=${kept}-`, `bytes=${grown}-`]);
    const card = (await engine.api.listBackbones()).find(({ name }) => name === NAME);
    expect(card).toMatchObject({
      architecture: 'resnet18',
      file: { name: 'model.safetensors', sha256: SHA256, digestChecked: true },
    });
    expect(readdirSync(join(scratch.path, 'store/backbones/downloads'))).not.toContain(NAME);
    expect((await entry())?.jobId).toBeNull();
  });
});

describe('the mirror', () => {
  it('is a folder the user names: what it holds is shown, and no server', async () => {
    const mirror = join(scratch.path, 'mirror');
    mkdirSync(join(mirror, NAME), { recursive: true });
    writeFileSync(join(mirror, NAME, 'model.safetensors'), FILE);
    // Alone, this name could be anybody's.
    writeFileSync(join(mirror, 'model.safetensors'), FILE);
    expect(await entry()).toMatchObject({ server: expect.stringContaining('127.0.0.1'), inMirror: null });
    const file = engine.grant(join(mirror, 'model.safetensors'));
    await expect(engine.api.takeCatalogueFrom(file)).rejects.toMatchObject({ code: 'NotAllowed' });
    await engine.api.takeCatalogueFrom(engine.grant(mirror));
    expect((await engine.api.listCatalogue()).mirror).toBe(mirror);
    expect(await entry()).toMatchObject({ server: '', inMirror: true });
    expect(await entry('phikon')).toMatchObject({ server: '', inMirror: false });
    const { state, error } = await ended(await engine.api.startDownload('phikon'));
    expect([state, error?.code]).toEqual(['failed', 'NotFound']);
    expect(ranges).toEqual([]);
  });

  it('is an address: every entry names it alone', async () => {
    await engine.api.setSetting(MIRROR_SETTING, 'https://mirror.example.org/weights');
    const { items, mirror } = await engine.api.listCatalogue();
    expect(mirror).toBe('https://mirror.example.org/weights');
    expect(new Set(items.map(({ server }) => server))).toEqual(new Set(['mirror.example.org']));
  });
});
