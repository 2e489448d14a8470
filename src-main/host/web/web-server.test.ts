import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { asId, type JobId } from '../../../src-shared/model/ids.ts';
import { connectEngine } from '../../../src-shared/rpc/client.ts';
import { openSocketEndpoint } from '../../../src-shared/rpc/socket-endpoint.ts';
import { EngineSupervisor } from '../engine/engine-supervisor.ts';
import { startWebServer, type WebServer } from './web-server.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let folder: string;
let engine: EngineSupervisor;
let server: WebServer;
let cookie: string;

/** A bare http client: `fetch` would not let a test set Host, Origin or Cookie. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET', body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port: server.port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

const own = () => `http://127.0.0.1:${server.port}`;
const withSession = (headers: Record<string, string> = {}) => ({ Cookie: cookie, ...headers });

/** Status of a refused handshake, or 101. */
function handshake(headers: Record<string, string>, path = '/engine'): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { headers });
    socket.on('open', () => {
      socket.close();
      resolve(101);
    });
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      resolve(response.statusCode ?? 0);
    });
    socket.on('error', () => undefined);
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-web-'));
  engine = new EngineSupervisor({
    start: { storeFolder: folder, resourcesFolder: '/nowhere', threads: 1, host: 'web' },
    entry: new URL('../testing/fake-engine-thread.ts', import.meta.url),
    log: () => undefined,
    backOffMs: 20,
  });
  await engine.start();
  const page = { headers: { 'Content-Type': 'text/html; charset=utf-8' }, body: Buffer.from('<!doctype html>') };
  await writeFile(join(folder, 'secret.txt'), 'patient zero');
  server = await startWebServer({
    engine,
    files: new Map([['/', page]]),
    storeFolder: folder,
    bindAddress: '127.0.0.1',
    port: 0,
  });
  const opening = await ask(new URL(server.openingUrl).pathname + new URL(server.openingUrl).search);
  cookie = opening.headers['set-cookie']?.[0]?.split(';', 1)[0] ?? '';
});

afterAll(async () => {
  await server.close();
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

describe('the opening address', () => {
  it('gives a session once: HttpOnly, SameSite=Strict, and away from the address', async () => {
    const second = await startWebServer({
      engine,
      files: new Map(),
      storeFolder: folder,
      bindAddress: '127.0.0.1',
      port: 0,
    });
    const { pathname, search, origin } = new URL(second.openingUrl);
    const open = () => fetch(`${origin}${pathname}${search}`, { redirect: 'manual' });
    const first = await open();
    expect(first.status).toBe(303);
    expect(first.headers.get('location')).toBe('/');
    expect(first.headers.get('set-cookie')).toMatch(/^hyaline-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/);
    const again = await open();
    expect(again.status).toBe(403);
    expect(again.headers.get('set-cookie')).toBeNull();
    await second.close();
  });

  it('refuses a wrong token', async () => {
    expect((await ask('/?token=wrong')).status).toBe(403);
  });
});

describe('a server for other machines', () => {
  it('answers under the name it prints, and still under no foreign one', async () => {
    const open = await startWebServer({
      engine,
      files: new Map(),
      storeFolder: folder,
      bindAddress: '0.0.0.0',
      port: 0,
    });
    const { host, search, port } = new URL(open.openingUrl);
    const under = (name: string) =>
      new Promise<number>((resolve) => {
        const options = { host: '127.0.0.1', port, path: `/${search}`, headers: { Host: name } };
        httpRequest(options, (response) => resolve(response.resume().statusCode ?? 0)).end();
      });
    expect(await under('evil.example')).toBe(403);
    expect(await under(host)).toBe(303);
    await open.close();
  });
});

describe('every request', () => {
  it('needs the session', async () => {
    expect((await ask('/')).status).toBe(403);
    expect((await ask('/', { Cookie: `hyaline-${server.port}=wrong` })).status).toBe(403);
    expect((await ask('/', withSession())).status).toBe(200);
  });

  it.each(['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil.example', '169.254.0.1'])(
    'is refused under the name %s',
    async (host) => {
      expect((await ask('/', withSession({ Host: host }))).status).toBe(403);
    },
  );

  it('is answered under another port of this machine, as behind a tunnel', async () => {
    expect((await ask('/', withSession({ Host: 'localhost:9000' }))).status).toBe(200);
  });

  it.each(['http://evil.example', 'null', 'http://localhost:1', 'https://127.0.0.1'])(
    'is refused from the origin %s',
    async (origin) => {
      expect((await ask('/', withSession({ Origin: origin }))).status).toBe(403);
    },
  );

  it('is refused from another page of the same machine that names no origin', async () => {
    const fromOther = { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'no-cors' };
    expect((await ask('/tile/a/0/0_0', withSession(fromOther))).status).toBe(403);
  });

  it('carries the security headers, refusals included', async () => {
    for (const answer of [await ask('/', withSession()), await ask('/'), await ask('/tile/a/0/0_0', withSession())]) {
      expect(answer.headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self';/);
      expect(answer.headers['content-security-policy']).not.toContain('unsafe');
      expect(answer.headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
      });
    }
  });

  it('reaches the engine for routes, and no file outside the interface', async () => {
    expect((await ask('/tile/a/0/1_2', withSession())).body).toBe('GET /tile/a/0/1_2');
    for (const path of ['/../secret.txt', '/secret.txt', '/%2e%2e/secret.txt', '//secret.txt']) {
      expect((await ask(path, withSession())).body).not.toContain('patient zero');
    }
  });

  it('is not a POST', async () => {
    expect((await ask('/', withSession({ Origin: own() }), 'POST', 'x')).status).toBe(403);
  });
});

describe('the socket', () => {
  it('opens for its own page only', async () => {
    const good = { Origin: own(), Cookie: cookie };
    expect(await handshake(good)).toBe(101);
    expect(await handshake({ ...good, Origin: 'http://evil.example' })).toBe(403);
    expect(await handshake({ Cookie: cookie })).toBe(403);
    expect(await handshake({ Origin: own() })).toBe(403);
    expect(await handshake({ ...good, Host: 'evil.example' })).toBe(403);
    expect(await handshake({ Origin: 'http://evil.example', Host: 'evil.example', Cookie: cookie })).toBe(403);
    expect(await handshake(good, '/other')).toBe(403);
  });

  it('carries calls, and fails them when the engine dies; a new socket works again', async () => {
    const open = async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}/engine`, {
        headers: { Origin: own(), Cookie: cookie },
      });
      return connectEngine(await openSocketEndpoint(socket));
    };
    const page = await open();
    expect(await page.engine.listSlides()).toEqual([]);
    const call = page.engine.cancelJob(asId<JobId>('never')).catch((error: unknown) => error);
    const crashed = await ask('/tile/crash/0/0_0', withSession());
    expect(crashed.status).toBe(503);
    expect(JSON.parse(crashed.body)).toMatchObject({ code: 'EngineCrashed' });
    expect(await call).toMatchObject({ code: 'EngineCrashed' });
    const slides = async () => {
      const again = await open();
      try {
        return await again.engine.listSlides();
      } finally {
        again.close();
      }
    };
    await expect.poll(() => slides().catch(() => null), { timeout: 5_000 }).toEqual([]);
  });
});

describe('closing the server', () => {
  it('does not wait for a page that sleeps', async () => {
    const short = await startWebServer({
      engine,
      files: new Map(),
      storeFolder: folder,
      bindAddress: '127.0.0.1',
      port: 0,
    });
    const { pathname, search, origin, host } = new URL(short.openingUrl);
    const opening = await fetch(`${origin}${pathname}${search}`, { redirect: 'manual' });
    const session = opening.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
    const page = new WebSocket(`ws://${host}/engine`, { headers: { Origin: origin, Cookie: session } });
    await new Promise((resolve) => page.once('open', resolve));
    page.pause();
    const startedMs = Date.now();
    await short.close();
    expect(Date.now() - startedMs).toBeLessThan(10_000);
    page.terminate();
  });
});

describe('an upload', () => {
  const put = (name: string, body: string, headers: Record<string, string> = {}) =>
    ask(`/upload/${encodeURIComponent(name)}`, withSession({ Origin: own(), ...headers }), 'PUT', body);

  it('lands in the store under a safe name and answers with a grant', async () => {
    const answer = await put('../../etc/a<b>.svs', 'pixels');
    expect(answer.status).toBe(201);
    expect(JSON.parse(answer.body)).toEqual({ grant: `grant:${join(folder, 'imported', 'ab.svs')}` });
    expect(await readFile(join(folder, 'imported', 'ab.svs'), 'utf8')).toBe('pixels');
  });

  it('never replaces a file of the same name', async () => {
    await put('twice.svs', 'first');
    await put('twice.svs', 'second');
    expect(await readFile(join(folder, 'imported', 'twice.svs'), 'utf8')).toBe('first');
    expect(await readFile(join(folder, 'imported', 'twice (2).svs'), 'utf8')).toBe('second');
  });

  it('is refused from elsewhere and without an origin', async () => {
    expect((await put('x.svs', 'x', { Origin: 'http://evil.example' })).status).toBe(403);
    expect((await ask('/upload/x.svs', withSession(), 'PUT', 'x')).status).toBe(403);
    expect((await ask('/upload/x.svs', { Origin: own() }, 'PUT', 'x')).status).toBe(403);
  });

  it('larger than the disk is refused with a sentence before it is read', async () => {
    const answer = await put('huge.svs', '', { 'Content-Length': '999999999999999' }).catch(() => null);
    expect(answer?.status).toBe(507);
    expect(JSON.parse(answer?.body ?? '{}')).toMatchObject({ code: 'DiskFull', advice: /free/i });
  });

  it('that breaks off leaves nothing behind', async () => {
    await new Promise<void>((resolve) => {
      const headers = { ...withSession({ Origin: own() }), 'Content-Length': '1000000' };
      const options = { host: '127.0.0.1', port: server.port, path: '/upload/broken.svs', method: 'PUT', headers };
      const request = httpRequest(options);
      request.on('error', () => resolve());
      request.write('some bytes', () => setTimeout(() => request.destroy(new Error('gone')), 50));
    });
    const names = () => readdir(join(folder, 'imported'));
    await expect.poll(async () => (await names()).filter((name) => /partial|broken/.test(name))).toEqual([]);
  });
});
