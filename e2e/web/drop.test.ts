import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTinySlide } from '../../src-main/host/testing/tiny-slide.ts';
import {
  type Host,
  launchBrowser,
  makeSandbox,
  newPage,
  type Sandbox,
  startHost,
  type WatchedPage,
} from './harness.ts';
import { Workstation } from './workstation.ts';

describe('a file dropped on the workstation', () => {
  let sandbox: Sandbox;
  let host: Host;
  let browser: Browser;
  let opened: WatchedPage;
  let workstation: Workstation;

  beforeAll(async () => {
    sandbox = await makeSandbox();
    host = await startHost(sandbox);
    browser = await launchBrowser(sandbox);
    opened = await newPage(browser, host.origin);
    workstation = new Workstation(opened.page);
    await opened.page.goto(host.openingUrl);
    await opened.page.getByText('No slide yet').waitFor();
  });

  afterAll(async () => {
    await browser?.close();
    await host?.stop();
    await sandbox?.dispose();
  });

  const drop = (name: string, bytes: Uint8Array) =>
    opened.page.evaluate(
      ({ fileName, base64 }) => {
        const data = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([data], fileName));
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
      },
      { fileName: name, base64: Buffer.from(bytes).toString('base64') },
    );

  it('that is no slide is refused in a sentence', async () => {
    await drop('letter.svs', Buffer.from('Dear colleague'));
    await workstation.expectSentence(/not a slide/);
  });

  it('is copied whole into the store and opened', async () => {
    const path = join(sandbox.folder, 'dropped.tif');
    await writeTinySlide(path);
    const bytes = await readFile(path);
    await drop('dropped.tif', bytes);
    await workstation.waitForSlide();
    const imported = join(sandbox.storeFolder, 'imported');
    expect(await readFile(join(imported, 'dropped.tif'))).toEqual(bytes);
    expect((await readdir(imported)).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(opened.problems).toEqual([]);
  });
});
