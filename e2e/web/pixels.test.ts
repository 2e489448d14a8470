import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realSlide } from '../../src-main/engine/testing/real-data.ts';
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

const SLIDE = realSlide('aperio/CMU-1-Small-Region.svs');
/** Where `one-to-one.golden.py` cut its crop, level-0 pixels. */
const CROP = { x0Px: 1036, y0Px: 1436, sidePx: 128 };

describe.skipIf(SLIDE === null)('the viewer at 1:1', () => {
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
  });

  afterAll(async () => {
    await browser?.close();
    await host?.stop();
    await sandbox?.dispose();
  });

  it('shows the very pixels OpenSlide reads', async () => {
    const { page } = opened;
    const workstation = new Workstation(page);
    await workstation.openSlide(SLIDE ?? '');
    await workstation.showOneToOne(CROP.x0Px + CROP.sidePx / 2, CROP.y0Px + CROP.sidePx / 2);
    const golden = await sharp(join(import.meta.dirname, 'one-to-one.golden.png'))
      .raw()
      .toBuffer();
    const shown = async () => differenceTo(golden, await workstation.pixelsAt(CROP.x0Px, CROP.y0Px, CROP.sidePx));
    // Tiles arrive one by one, the right ones last; after that nothing changes any more.
    await expect.poll(shown, { timeout: 60_000, interval: 500 }).toEqual({ largest: 0, differing: 0 });
    await opened.shot('pixels-one-to-one');
  });
});

/** Largest difference of a channel, and how many channels differ. */
function differenceTo(golden: Uint8Array, shown: Uint8Array): { largest: number; differing: number } {
  let largest = 0;
  let differing = 0;
  for (const [index, value] of golden.entries()) {
    const difference = Math.abs(value - (shown[index] ?? 255));
    largest = Math.max(largest, difference);
    differing += difference > 0 ? 1 : 0;
  }
  return { largest, differing };
}
