import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routes } from '../../src-shared/api/routes.ts';
import { AppError } from '../../src-shared/errors.ts';
import { asId, type SlideId } from '../../src-shared/model/ids.ts';
import { createAppHandler, decodePath } from './protocol.ts';
import { listStaticFiles } from './static-files.ts';

let folder = '';
const asked: string[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hyaline-protocol-'));
  mkdirSync(join(folder, 'renderer', 'assets'), { recursive: true });
  writeFileSync(join(folder, 'renderer', 'index.html'), '<!doctype html><title>Hyaline</title>');
  writeFileSync(join(folder, 'renderer', 'assets', 'app-Ab3dEf9_.js'), 'export {};');
  writeFileSync(join(folder, 'renderer', 'notes.secret'), 'not served');
  writeFileSync(join(folder, 'outside.json'), '{"secret":true}');
  symlinkSync(join(folder, 'outside.json'), join(folder, 'renderer', 'link.json'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const handler = (): ((request: Request) => Promise<Response>) =>
  createAppHandler({
    files: listStaticFiles(join(folder, 'renderer')),
    async route(method, path) {
      asked.push(`${method} ${path}`);
      if (path.includes('f'.repeat(64))) throw new AppError('EngineCrashed', 'Stopped.');
      const headers = { 'content-type': 'image/jpeg', 'content-security-policy': 'default-src *' };
      return { status: 200, headers, body: new Uint8Array([1, 2, 3]) };
    },
  });

const get = (url: string, init?: RequestInit): Promise<Response> => handler()(new Request(url, init));
const slide = asId<SlideId>('a'.repeat(64));

describe('app://hyaline/', () => {
  it('serves the start page with the content security policy and its length', async () => {
    for (const url of ['app://hyaline/', 'app://hyaline/index.html', 'app://hyaline/index.html#/viewer']) {
      const response = await get(url);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
      const body = await response.text();
      expect(response.headers.get('content-length')).toBe(String(body.length));
      expect(body).toContain('<title>Hyaline</title>');
    }
  });

  it('lets hashed files be cached, and nothing else', async () => {
    const hashed = await get('app://hyaline/assets/app-Ab3dEf9_.js');
    expect(hashed.headers.get('cache-control')).toContain('immutable');
    expect(hashed.headers.get('content-type')).toContain('text/javascript');
    expect((await get('app://hyaline/')).headers.get('cache-control')).toBe('no-cache');
  });

  it('asks the engine for routes, keeps their type and adds its own policy over theirs', async () => {
    const path = routes.tile(slide, 2, 3, 4);
    const response = await get(`app://hyaline${path}`);
    expect(asked.at(-1)).toBe(`GET ${path}`);
    expect(response.headers.get('content-type')).toBe('image/jpeg');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array([1, 2, 3]));
    const head = await get(`app://hyaline${path}`, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe('3');
    expect(await head.text()).toBe('');
  });

  it('says in JSON why a route has no answer while the engine is down', async () => {
    const response = await get(`app://hyaline${routes.thumbnail(asId<SlideId>('f'.repeat(64)), 200)}`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'EngineCrashed', message: 'Stopped.' });
  });

  it.each([
    ['app://hyaline/../outside.json'],
    ['app://hyaline/..%2foutside.json'],
    ['app://hyaline/%2e%2e/outside.json'],
    ['app://hyaline/%2e%2e%2foutside.json'],
    ['app://hyaline/assets/..%5c..%5coutside.json'],
    ['app://hyaline/assets\\..\\..\\outside.json'],
    ['app://hyaline/%252e%252e/outside.json'],
    ['app://hyaline//etc/passwd'],
    ['app://hyaline/C:/Windows/win.ini'],
    ['app://hyaline/index.html%00.js'],
    ['app://hyaline/%'],
    ['app://hyaline/link.json'],
    ['app://hyaline/notes.secret'],
    ['app://hyaline/assets'],
  ])('has nothing at %s', async (url) => {
    const response = await get(url);
    expect([400, 404]).toContain(response.status);
    expect(await response.text()).not.toContain('secret');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  it.each([
    ['app://elsewhere/index.html'],
    ['app://hyaline.example/index.html'],
    ['app://user@hyaline/index.html'],
    ['app://hyaline:8080/index.html'],
    ['https://hyaline/index.html'],
    ['file:///index.html'],
  ])('refuses the foreign address %s', async (url) => {
    // `Request` itself refuses credentials, so the handler gets what it reads of a request.
    const response = await handler()({ url, method: 'GET' } as Request);
    expect(response.status).toBe(403);
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('refuses %s', async (method) => {
    const before = asked.length;
    for (const path of ['/index.html', routes.tile(slide, 0, 0, 0)]) {
      const response = await get(`app://hyaline${path}`, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
    }
    expect(asked).toHaveLength(before);
  });
});

describe('a path', () => {
  it('is decoded once, and refused where it hides something', () => {
    expect(decodePath('/a%20b.js')).toBe('/a b.js');
    for (const bad of [
      'relative',
      '/a/../b',
      '/%2e%2e/b',
      '/a%2fb',
      '/a%5Cb',
      '/a\\b',
      '/a%00',
      '/%E0%A4%A',
      '/c:/x',
    ]) {
      expect(decodePath(bad), bad).toBeNull();
    }
  });
});
