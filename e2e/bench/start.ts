import { realSlide } from '../../src-main/engine/testing/real-data.ts';
import { findChromium } from '../house/chromium.ts';
import { launchBrowser, makeSandbox, newPage, type Sandbox, startHost } from '../web/harness.ts';
import { Workstation } from '../web/workstation.ts';
import { median } from './paired.ts';

const ROUNDS = 3;

/** From the start of the host to the first tile of a slide on the page: process, store, engine, page, viewer. */
export async function bench(): Promise<void> {
  const slide = realSlide('aperio/CMU-1-Small-Region.svs');
  if (findChromium() === null || slide === null) {
    console.log('  skipped: needs Chromium and the real slide');
    return;
  }
  const sandbox = await makeSandbox();
  const ready: number[] = [];
  const firstTile: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const times = await startOnce(sandbox, slide, round === 0);
    // The first round puts the slide into the library and warms the disk.
    if (round === 0) continue;
    ready.push(times.readyMs);
    firstTile.push(times.firstTileMs);
  }
  await sandbox.dispose();
  console.log(`  host ready after ${median(ready).toFixed(0)} ms`);
  console.log(`  first tile of a slide in the library on the page after ${median(firstTile).toFixed(0)} ms`);
  console.log(`  medians of ${ROUNDS} starts; the browser runs already`);
}

async function startOnce(sandbox: Sandbox, slide: string, first: boolean) {
  const browser = await launchBrowser(sandbox);
  const startedMs = performance.now();
  const host = await startHost(sandbox);
  const readyMs = performance.now() - startedMs;
  const { page } = await newPage(browser, host.origin);
  const tile = page.waitForResponse((response) => response.url().includes('/tile/'), { timeout: 120_000 });
  await page.goto(host.openingUrl);
  if (first) await new Workstation(page).openSlide(slide);
  else {
    const slides = page.getByRole('list', { name: 'Slides' });
    await slides.getByRole('button', { name: /^Open / }).click();
  }
  await (await tile).finished();
  const firstTileMs = performance.now() - startedMs;
  await browser.close();
  await host.stop();
  return { readyMs, firstTileMs };
}
