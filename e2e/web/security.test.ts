import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Host,
  launchBrowser,
  makeSandbox,
  newPage,
  type Sandbox,
  startHost,
  type WatchedPage,
} from './harness.ts';

let sandbox: Sandbox;
let host: Host;
let browser: Browser;
let opened: WatchedPage;

beforeAll(async () => {
  sandbox = await makeSandbox();
  host = await startHost(sandbox);
  browser = await launchBrowser(sandbox);
  opened = await newPage(browser, host.origin);
  await opened.page.goto(host.openingUrl);
  await opened.page.getByRole('navigation').waitFor();
});

afterAll(async () => {
  await browser?.close();
  await host?.stop();
  await sandbox?.dispose();
});

describe('the opening address', () => {
  it('loses its token in the address bar and in the history', async () => {
    expect(opened.page.url()).not.toContain('token');
    expect(await opened.page.evaluate(() => performance.getEntriesByType('navigation')[0]?.name)).not.toContain(
      'token',
    );
  });

  it('becomes a cookie that no script can read and no other site can send', async () => {
    const cookies = await opened.context.cookies();
    expect(cookies).toHaveLength(1);
    expect(cookies[0]).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/', expires: -1 });
    expect(await opened.page.evaluate(() => document.cookie)).toBe('');
  });

  it('opens once: a second browser with the same address is refused in a sentence', async () => {
    const second = await newPage(browser, host.origin);
    const answer = await second.page.goto(host.openingUrl);
    expect(answer?.status()).toBe(403);
    expect(await second.page.innerText('body')).toContain('opens it once: go on in the browser that was first');
    const bare = await second.page.goto(host.origin);
    expect(bare?.status()).toBe(403);
    await second.context.close();
  });

  it('survives a reload', async () => {
    expect((await opened.page.reload())?.status()).toBe(200);
    await opened.page.getByRole('navigation').waitFor();
  });
});

describe('the page', () => {
  it('runs without a single complaint of its content security policy, and asks no other host for anything', () => {
    expect(opened.problems).toEqual([]);
    expect(opened.foreign).toEqual([]);
  });

  it('runs no script and no style that is slipped into it, and reaches no other host', async () => {
    const probe = await newPage(browser, host.origin);
    await probe.context.addCookies(await opened.context.cookies());
    await probe.page.goto(host.origin);
    const result = await probe.page.evaluate(async () => {
      const script = document.createElement('script');
      script.textContent = 'window.slipped = true';
      document.head.append(script);
      const style = document.createElement('style');
      style.textContent = 'body { outline: 7px solid red }';
      document.head.append(style);
      const outside = await fetch('https://example.com/').then(
        () => 'reached',
        () => 'blocked',
      );
      return {
        slipped: 'slipped' in window,
        outline: getComputedStyle(document.body).outlineWidth,
        outside,
      };
    });
    expect(result).toMatchObject({ slipped: false, outside: 'blocked' });
    expect(result.outline).not.toBe('7px');
    expect(probe.problems.filter((text) => /content security policy/i.test(text)).length).toBeGreaterThanOrEqual(3);
    await probe.context.close();
  });
});

describe('a hostile page in the same browser', () => {
  let server: Server;
  let port: number;

  beforeAll(async () => {
    server = createServer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' });
      response.end('<!doctype html><title>hostile</title>');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });

  afterAll(() => {
    server.close();
  });

  it.each(['127.0.0.1', 'localhost'])('on another port of %s reads nothing and opens no socket', async (name) => {
    const page = await opened.context.newPage();
    await page.goto(`http://${name}:${port}/`);
    const outcome = await page.evaluate(async (target) => {
      const attempt = (work: Promise<unknown>) =>
        work.then(
          () => 'reached',
          () => 'refused',
        );
      const picture = new Promise((resolve, reject) => {
        const image = new Image();
        image.onload = resolve;
        image.onerror = reject;
        image.src = `${target}/thumbnail/x?max=64`;
      });
      const socket = new Promise((resolve, reject) => {
        const opening = new WebSocket(`${target.replace('http', 'ws')}/engine`);
        opening.onopen = resolve;
        opening.onerror = reject;
      });
      return {
        read: await attempt(fetch(target, { credentials: 'include' })),
        blind: await attempt(fetch(target, { mode: 'no-cors', credentials: 'include' })),
        upload: await attempt(fetch(`${target}/upload/x.svs`, { method: 'PUT', body: 'x', credentials: 'include' })),
        picture: await attempt(picture),
        socket: await attempt(socket),
      };
    }, host.origin);
    expect(outcome).toEqual({
      read: 'refused',
      blind: 'refused',
      upload: 'refused',
      picture: 'refused',
      socket: 'refused',
    });
    await page.close();
  });
});

describe('another address than loopback', () => {
  it('is listened on only when asked for, and with a warning', async () => {
    expect(new URL(host.openingUrl).hostname).toBe('127.0.0.1');
    expect(host.complaints()).toBe('');
    const other = await makeSandbox();
    const open = await startHost(other, ['--host', '0.0.0.0']);
    expect(open.complaints()).toMatch(/Warning: .*other machines/);
    await open.stop();
    await other.dispose();
  });
});
