import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineSupervisor } from '../../src-main/host/engine/engine-supervisor.ts';
import { installation } from '../../src-main/host/installation.ts';
import { loadStaticFiles } from '../../src-main/host/web/static-files.ts';
import { startWebServer, type WebServer } from '../../src-main/host/web/web-server.ts';
import { launchBrowser, makeSandbox, newPage, type Sandbox, type WatchedPage } from './harness.ts';
import { Workstation } from './workstation.ts';

describe('the page, when the engine dies under it', () => {
  let sandbox: Sandbox;
  let engine: EngineSupervisor;
  let server: WebServer;
  let browser: Browser;
  let opened: WatchedPage;

  beforeAll(async () => {
    sandbox = await makeSandbox();
    engine = new EngineSupervisor({
      start: {
        storeFolder: sandbox.storeFolder,
        resourcesFolder: installation.resourcesFolder,
        threads: 1,
        host: 'web',
      },
      entry: new URL('../../src-main/host/testing/mortal-engine-thread.ts', import.meta.url),
      log: () => undefined,
      backOffMs: 1500,
    });
    await engine.start();
    const files = await loadStaticFiles(installation.rendererFolder);
    server = await startWebServer({
      engine,
      files,
      storeFolder: sandbox.storeFolder,
      bindAddress: '127.0.0.1',
      port: 0,
    });
    browser = await launchBrowser(sandbox);
    opened = await newPage(browser, new URL(server.openingUrl).origin);
    await opened.page.goto(server.openingUrl);
    await opened.page.getByText('No slide yet').waitFor();
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await engine?.close();
    await sandbox?.dispose();
  });

  it('says so, connects again by itself, and works on', async () => {
    const { page } = opened;
    const workstation = new Workstation(page);
    expect(await page.evaluate(async () => (await fetch('/crash')).status)).toBe(503);
    const notice = page.getByRole('alert');
    await notice.waitFor();
    await opened.shot('crash-notice');
    await notice.waitFor({ state: 'detached', timeout: 60_000 });
    await workstation.goTo('Backbones');
    await workstation.expectSentence('random-resnet18');
  });
});
