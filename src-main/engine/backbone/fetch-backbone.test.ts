import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InferenceWorker } from '../infer/inference-worker.ts';
import { ARCHITECTURES } from './architectures/all.ts';
import { cardSchema } from './card-schema.ts';
import { CATALOGUE, type CatalogueEntry, catalogueCard } from './catalogue.ts';
import { type FetchRequest, fetchBackbone } from './fetch-backbone.ts';
import { safetensorsOf } from './testing/checkpoint-file.ts';

const FILE = safetensorsOf('squeezenet1_1', '');
const SHA256 = createHash('sha256').update(FILE).digest('hex');

let folder = '';
let server: Server;
let address = '';
let worker: InferenceWorker;
/** What the mock hub does, and what it was asked. */
let behaviour: { etag: string; status: number; breakAfter: number | null };
let asked: string[];
let sent: number[];

beforeAll(async () => {
  worker = new InferenceWorker();
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await worker.close();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-fetch-'));
  behaviour = { etag: `"${SHA256}"`, status: 200, breakAfter: null };
  asked = [];
  sent = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Serves the file with ranges, as the hub does; may refuse, or break off after some bytes. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  asked.push(`${request.url} ${request.headers.range ?? ''}`.trim());
  if (behaviour.status !== 200 || request.url?.startsWith('/gone')) {
    response.writeHead(behaviour.status === 200 ? 404 : behaviour.status).end();
    return;
  }
  const condition = request.headers['if-range'];
  const part = range !== null && (condition === undefined || condition === behaviour.etag);
  const start = part ? Number(range[1]) : 0;
  const end = part && range[2] ? Number(range[2]) : FILE.length - 1;
  const body = FILE.subarray(start, end + 1);
  sent.push(part ? 206 : 200);
  response.writeHead(part ? 206 : 200, {
    ETag: behaviour.etag,
    'Content-Length': body.length,
    ...(part ? { 'Content-Range': `bytes ${start}-${end}/${FILE.length}` } : {}),
  });
  if (behaviour.breakAfter === null || body.length < 2) response.end(body);
  else response.write(body.subarray(0, behaviour.breakAfter), () => setTimeout(() => response.destroy(), 50));
}

const ENTRY: CatalogueEntry = {
  name: 'test-squeezenet',
  architecture: 'squeezenet1_1',
  origin: 'histology',
  method: 'supervised',
  licence: 'MIT',
  page: 'https://example.org/model',
  from: { kind: 'hub', repo: 'someone/squeezenet', path: 'model.safetensors' },
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
};
const BY_URL = (sha256Start: string | null): CatalogueEntry => ({
  ...ENTRY,
  from: { kind: 'url', url: `${address}/squeezenet.pth`, fileName: 'squeezenet.pth', sha256Start },
});

function get(extra: Partial<FetchRequest> = {}, entry: CatalogueEntry = ENTRY) {
  const folders = { backbonesFolder: join(folder, 'backbones'), downloadFolder: join(folder, 'downloads') };
  return fetchBackbone({ name: entry.name, ...folders, hubUrl: address, worker, ...extra }, [entry]);
}

describe('fetchBackbone', () => {
  it('fetches from the hub, checks its digest and imports with what the catalogue knows', async () => {
    const progress: number[] = [];
    const card = await get({ onProgress: (bytes) => progress.push(bytes) });
    expect(card.file).toEqual({ name: 'model.safetensors', sha256: SHA256, digestChecked: true });
    expect(card).toMatchObject({
      name: 'test-squeezenet',
      architecture: 'squeezenet1_1',
      origin: 'histology',
      licence: 'MIT',
      source: 'https://example.org/model',
      input: { mean: ENTRY.mean, std: ENTRY.std },
      assumed: [],
    });
    expect(asked[0]).toBe('/someone/squeezenet/resolve/main/model.safetensors bytes=0-0');
    expect(progress.at(-1)).toBe(FILE.length);
    expect(await readdir(join(folder, 'backbones'))).toEqual([`${card.id}.onnx`]);
  });

  it('goes on where the connection broke', async () => {
    behaviour.breakAfter = 1_000_000;
    await expect(get()).rejects.toMatchObject({ code: 'NetworkUnavailable' });
    const part = join(folder, 'downloads', ENTRY.name, 'model.safetensors.part');
    const kept = (await stat(part)).size;
    expect(kept).toBeGreaterThan(0);
    behaviour.breakAfter = null;
    expect((await get()).file?.sha256).toBe(SHA256);
    expect(asked.at(-1)).toBe(`/someone/squeezenet/resolve/main/model.safetensors bytes=${kept}-`);
  });

  it.each(['the same file', 'another file'])('asks for the rest only of the very same file: %s', async (which) => {
    const entry = BY_URL(null);
    behaviour.breakAfter = 1_000_000;
    await expect(get({}, entry)).rejects.toMatchObject({ code: 'NetworkUnavailable' });
    behaviour.breakAfter = null;
    if (which === 'another file') behaviour.etag = '"another"';
    // Nothing but its hash tells whether the two halves belong together.
    expect((await get({}, entry)).file?.sha256).toBe(SHA256);
    expect(sent.at(-1)).toBe(which === 'the same file' ? 206 : 200);
  });

  it('begins again where neither a digest nor a tag would tell that the rest belongs to another file', async () => {
    const entry = BY_URL(null);
    behaviour = { ...behaviour, etag: 'W/"weak"', breakAfter: 1_000_000 };
    await expect(get({}, entry)).rejects.toMatchObject({ code: 'NetworkUnavailable' });
    behaviour.breakAfter = null;
    await get({}, entry);
    expect(asked.at(-1)).toBe('/squeezenet.pth');
  });

  it('throws a file away whose digest is not the one stated, and keeps no backbone', async () => {
    behaviour.etag = `"${'0'.repeat(64)}"`;
    await expect(get()).rejects.toMatchObject({ code: 'BackboneUnreadable' });
    expect(await readdir(join(folder, 'downloads', ENTRY.name))).toEqual([]);
    await expect(get({}, BY_URL('beef'))).rejects.toMatchObject({ code: 'BackboneUnreadable' });
    expect((await get({}, BY_URL(SHA256.slice(0, 8)))).file?.digestChecked).toBe(true);
    expect((await get({}, BY_URL(null))).file?.digestChecked).toBe(false);
  });

  it('says where to ask for a gated model', async () => {
    behaviour.status = 403;
    await expect(get()).rejects.toMatchObject({ code: 'NotAllowed', advice: expect.stringContaining(ENTRY.page) });
  });

  it('names a file that is gone, a network that is not there, and a cancel', async () => {
    const gone = BY_URL(null);
    await expect(get({ mirror: `${address}/gone` }, gone)).rejects.toMatchObject({ code: 'NotFound' });
    await expect(get({ hubUrl: 'http://127.0.0.1:9' })).rejects.toMatchObject({ code: 'NetworkUnavailable' });
    await expect(get({ signal: AbortSignal.abort() }, gone)).rejects.toMatchObject({ code: 'Cancelled' });
  });

  it('takes the file from a mirror, a folder or an address, and asks nobody else', async () => {
    const mirror = join(folder, 'mirror');
    await mkdir(join(mirror, ENTRY.name), { recursive: true });
    await writeFile(join(mirror, ENTRY.name, 'model.safetensors'), FILE);
    expect((await get({ mirror })).name).toBe(ENTRY.name);
    expect(asked).toEqual([]);
    await get({ mirror: `${address}/squeezenet-mirror/` });
    expect(asked).toEqual(['/squeezenet-mirror/test-squeezenet/model.safetensors']);
    await expect(get({ mirror: folder })).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('names the entries there are', async () => {
    await expect(get({ name: 'nothing' })).rejects.toMatchObject({
      code: 'NotFound',
      advice: expect.stringContaining('test-squeezenet'),
    });
  });
});

describe('the catalogue', () => {
  it('has a name, a licence, a page and a network of the builder for every entry', () => {
    expect(new Set(CATALOGUE.map((entry) => entry.name)).size).toBe(CATALOGUE.length);
    for (const entry of CATALOGUE) {
      expect(entry.licence.length).toBeGreaterThan(2);
      expect(entry.page).toMatch(/^https:\/\//);
      expect(Object.keys(ARCHITECTURES)).toContain(entry.architecture);
      expect(cardSchema.strict().parse(catalogueCard(entry))).toMatchObject({ name: entry.name });
      if (entry.from.kind === 'url') expect(entry.from.url).toMatch(/^https:\/\//);
    }
    const origins = new Set(CATALOGUE.map((entry) => entry.origin));
    expect([...origins].sort()).toEqual(['histology', 'imagenet']);
  });

  // timm: floor(224 / crop_pct) of each repository's config.json; torchvision: `IMAGENET1K_V1.transforms()`; CLIP: its
  // preprocessor_config.json; Phikon's names a size and no crop.
  it.each([
    ['resnet50-imagenet', 'bilinear', 256, 0.485],
    ['timm-resnet18', 'bicubic', 235, 0.485],
    ['timm-densenet121', 'bicubic', 256, 0.485],
    ['timm-vit-small', 'bicubic', 248, 0.5],
    ['plip', 'bicubic', 224, 0.48145466],
    ['ciga-resnet18', undefined, undefined, 0.5],
    ['phikon', undefined, undefined, 0.485],
  ])('prepares images for %s as its publisher does', (name, interpolation, cropFromPx, mean) => {
    const entry = CATALOGUE.find((each) => each.name === name);
    const input = entry && catalogueCard(entry).input;
    expect(input?.mean?.[0]).toBe(mean);
    expect([input?.resize?.interpolation, input?.resize?.cropFromPx]).toEqual([interpolation, cropFromPx]);
  });
});
