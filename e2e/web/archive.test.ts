import { copyFileSync, linkSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeStripedSlide } from '../../src-main/engine/extract/testing/striped-slide.ts';
import { writeTinySlide } from '../../src-main/host/testing/tiny-slide.ts';
import {
  type Host,
  launchBrowser,
  makeSandbox,
  newPage,
  ROOT,
  type Sandbox,
  startHost,
  type WatchedPage,
} from './harness.ts';

const JOBS_MS = 120_000;
const MANY = 1000;
/** Processor seconds in which the page draws a thousand slides and scrolls through them. */
const MOST_WORK_S = 6;

let sandbox: Sandbox;
let browser: Browser;
let host: Host;
let opened: WatchedPage;
let many: string;
let mixed: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  many = join(sandbox.folder, 'many');
  mixed = join(sandbox.folder, 'mixed');
  mkdirSync(many);
  mkdirSync(join(mixed, 'case 2'), { recursive: true });
  await writeTinySlide(join(sandbox.folder, 'one.tif'));
  for (let i = 0; i < MANY; i++) linkSync(join(sandbox.folder, 'one.tif'), join(many, `slide ${i}.tif`));
  await writeStripedSlide(join(mixed, 'A.tif'), 900);
  await writeStripedSlide(join(mixed, 'B.tif'), 940);
  await writeStripedSlide(join(mixed, 'case 2', 'C.tif'), 980);
  await writeStripedSlide(join(sandbox.folder, 'D.tif'), 600);
  writeFileSync(join(sandbox.folder, 'second.csv'), `wsi,mpp\n${join(sandbox.folder, 'D.tif')},0.5\n`);
  writeFileSync(join(mixed, 'broken.svs'), 'no slide at all');
  for (const name of ['concatenation_0', 'concatenation_1']) {
    const from = join(ROOT, 'src-main', 'engine', 'slide', 'dicom', 'fixtures', `${name}.dcm`);
    copyFileSync(from, join(mixed, name));
  }
  writeFileSync(
    join(mixed, 'list.csv'),
    'wsi,mpp,label\nA.tif,0.5,tumour\nB.tif,0.5,normal\ncase 2/C.tif,0.5,normal\ngone.tif,0.5,tumour\n',
  );
  host = await startHost(sandbox);
  browser = await launchBrowser(sandbox);
  opened = await newPage(browser, host.origin);
  await opened.page.goto(host.openingUrl);
  await opened.page.getByText('No slide yet').waitFor();
});

afterAll(async () => {
  await browser?.close();
  await host?.stop('SIGKILL');
  await sandbox?.dispose();
});

async function inDialog(page: Page, folder: string): Promise<void> {
  const dialog = page.getByRole('dialog');
  const field = dialog.getByLabel('Folder', { exact: true });
  await dialog.locator('ul[aria-busy="false"]').waitFor();
  await field.fill(folder);
  await dialog.getByRole('button', { name: 'Go', exact: true }).click();
  await expect.poll(() => field.inputValue()).toBe(folder);
  await dialog.locator('ul[aria-busy="false"]').waitFor();
}

async function openFolder(page: Page, folder: string): Promise<void> {
  await page.getByRole('button', { name: 'Open folder…' }).click();
  await inDialog(page, folder);
  await page.getByRole('dialog').getByRole('button', { name: 'Open this folder' }).click();
}

/**
 * Starts to measure the page's own work; the returned function says how many seconds of processor time its main thread
 * has spent since. Time on the clock would measure what else the machine does.
 */
async function watchWork({ page, context }: WatchedPage): Promise<() => Promise<number>> {
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const spentS = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
  };
  const before = await spentS();
  return async () => (await spentS()) - before;
}

describe('a folder', () => {
  it('of a thousand slides is listed without a stall, pictures only of what is in sight', async () => {
    const { page } = opened;
    const workS = await watchWork(opened);
    await openFolder(page, many);
    const cards = page.locator('.cards article');
    const pictures = page.locator('.cards img');
    // The first can be used while the rest is still looked for; by style, for roles of a thousand cards cost time.
    await cards.first().waitFor({ timeout: 20_000 });
    await expect.poll(() => cards.count(), { timeout: 60_000 }).toBe(MANY);
    await expect.poll(() => pictures.count(), { timeout: 30_000 }).toBeGreaterThan(10);
    expect(await page.locator('header [role="status"]').innerText()).toMatch(/^1.000 slides$/);
    expect(await pictures.count()).toBeLessThan(60);
    await cards.last().scrollIntoViewIfNeeded();
    await expect.poll(() => cards.last().locator('img').count(), { timeout: 30_000 }).toBe(1);
    // Those scrolled past were not asked for.
    expect(await pictures.count()).toBeLessThan(120);
    expect(await workS()).toBeLessThan(MOST_WORK_S);
    await opened.shot('folder-of-a-thousand');
    await page.getByRole('button', { name: 'Back to the library' }).click();
    await page.getByText('No slide yet').waitFor();
  });

  it('groups a series, names what does not open with its reason, and opens what is clicked; keys do the same', async () => {
    const { page } = opened;
    await openFolder(page, mixed);
    await page.getByText('4 slides, 1 file that cannot be opened', { exact: true }).waitFor({ timeout: 20_000 });
    const bad = page.getByRole('group', { name: 'broken.svs cannot be opened' });
    expect(await bad.textContent()).toContain('This file is not a slide.');
    expect(await page.getByText('series of 2 files').count()).toBe(1);
    await page.getByRole('button', { name: 'Open A.tif' }).focus();
    await page.keyboard.press('Space');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Extract features of 2…' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'B.tif' }).waitFor({ timeout: 20_000 });
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
    await page.evaluate(() => location.assign('#/library'));
    await page.getByRole('button', { name: 'Extract features of 2…' }).click();
    await page.getByText('2 slides', { exact: true }).waitFor();
  });
});

describe('an archive', () => {
  it('is forecast from a list, runs in an order that can be changed, and goes on after a kill of the host', async () => {
    const { page } = opened;
    await page.getByRole('button', { name: 'Remove all' }).click();
    await page.getByRole('button', { name: 'Add a list…' }).click();
    await inDialog(page, mixed);
    await page.getByRole('dialog').getByRole('button', { name: 'list.csv' }).click();
    await page.getByText('with labels: label').waitFor();
    // The same slides and labels as a study; what does not open is named.
    await page.getByRole('button', { name: 'New study of these…' }).click();
    await page.getByRole('heading', { name: 'New study' }).waitFor({ timeout: 20_000 });
    expect(await page.getByLabel('Table of labels').inputValue()).toContain('A.tif,tumour');
    await page.getByText(/Not in the library, left out: gone\.tif/).waitFor();
    expect(await page.getByLabel('Label of B.tif').inputValue()).toBe('normal');
    await page.getByRole('navigation').getByText('Archive', { exact: true }).click();
    await page.getByLabel('Cut at').selectOption('stem');
    await page.getByRole('button', { name: 'Add backbone' }).click();
    await page.getByLabel('Tile side, µm').fill('24');
    await page.getByLabel('Tile side, µm').press('Enter');
    await page.getByRole('button', { name: 'Forecast tiles and disk space' }).click();
    await page.getByText('1 cannot be done and would be left out').waitFor({ timeout: 60_000 });
    expect(await page.getByLabel('Slides left out').innerText()).toContain('gone.tif');
    expect(await page.getByText(/ of .* free$/).count()).toBe(1);
    await page.getByRole('button', { name: 'Start 3 slides' }).click();

    const rows = page.getByLabel('Running and waiting').getByRole('listitem');
    await expect.poll(() => rows.count(), { timeout: 30_000 }).toBe(3);
    await page.getByRole('button', { name: 'First: C.tif' }).click();
    await expect.poll(() => rows.nth(1).getAttribute('aria-label')).toBe('C.tif');
    await rows
      .first()
      .getByText(/[1-9]\d* of \d+ tiles/)
      .waitFor({ timeout: JOBS_MS });
    await opened.shot('archive-queue');
    await page.getByRole('button', { name: /^Jobs/ }).click();
    const tray = page.getByRole('dialog', { name: 'Jobs' });
    await tray.getByRole('article', { name: 'Archive' }).waitFor();
    expect(await tray.getByRole('article').count()).toBe(1);
    await page.keyboard.press('Escape');

    await host.stop('SIGKILL');
    host = await startHost(sandbox);
    opened = await newPage(browser, host.origin);
    await opened.page.goto(host.openingUrl);
    await opened.page.getByRole('navigation').getByText('Archive', { exact: true }).click();
    await opened.page.getByRole('tab', { name: /Queue/ }).click();
    const after = opened.page.getByLabel('Running and waiting').getByRole('listitem');
    await expect.poll(() => after.count(), { timeout: 20_000 }).toBeGreaterThan(1);
    const order = async () => Promise.all((await after.all()).map((row) => row.getAttribute('aria-label')));
    expect((await order()).slice(-2)).toEqual(['C.tif', 'B.tif']);

    await opened.page.getByRole('button', { name: 'Pause all' }).click();
    await opened.page.getByText('Paused. Nothing starts until you continue.').waitFor();
    await opened.page.getByRole('button', { name: 'Cancel B.tif' }).click();
    await opened.page.getByRole('button', { name: 'Continue' }).click();
    await opened.page.getByText('2 of 2 slides done').waitFor({ timeout: JOBS_MS });
    expect(opened.problems).toEqual([]);
  });

  it('leaves out a slide whose file has gone, with the reason, and does it when it is back', async () => {
    const { page } = opened;
    await page.getByRole('tab', { name: 'New run' }).click();
    await page.getByRole('button', { name: 'Add a list…' }).click();
    await inDialog(page, sandbox.folder);
    await page.getByRole('dialog').getByRole('button', { name: 'second.csv' }).click();
    await page.getByText('1 slide', { exact: true }).waitFor();
    await page.getByLabel('Cut at').selectOption('stem');
    await page.getByRole('button', { name: 'Add backbone' }).click();
    await page.getByRole('button', { name: 'Forecast tiles and disk space' }).click();
    await page.getByRole('button', { name: 'Start 1 slide' }).waitFor({ timeout: 60_000 });
    renameSync(join(sandbox.folder, 'D.tif'), join(sandbox.folder, 'elsewhere'));
    await page.getByRole('button', { name: 'Start 1 slide' }).click();
    const left = page.getByRole('region', { name: 'Left out' });
    await left.getByRole('listitem', { name: 'D.tif' }).waitFor({ timeout: 60_000 });
    expect(await left.getByRole('listitem').textContent()).toMatch(/[a-z]{3,}\. /);
    await opened.shot('archive-left-out');
    renameSync(join(sandbox.folder, 'elsewhere'), join(sandbox.folder, 'D.tif'));
    await left.getByRole('button', { name: 'Try D.tif again' }).click();
    await page.getByText('3 of 3 slides done').waitFor({ timeout: JOBS_MS });
  });

  it('shows what the store holds by slide and backbone, and drops a part after a warning', async () => {
    const { page } = opened;
    await page.getByRole('tab', { name: 'Store' }).click();
    const table = page.getByRole('table', { name: 'Size by slide and backbone' });
    await table.waitFor();
    const names = () => table.getByRole('rowheader').allInnerTexts();
    await table.getByRole('button', { name: 'Slide' }).click();
    expect((await names())[0]).toBe('A.tif');
    const before = (await names()).length;
    await page.getByRole('button', { name: 'Drop random-resnet18 of A.tif' }).click();
    expect(await page.getByRole('dialog').innerText()).toMatch(
      /Drop [\d.]+ [KM]B\?[\s\S]*Everything random-resnet18 made of A\.tif is deleted/,
    );
    await opened.shot('archive-drop');
    await page.getByRole('dialog').getByRole('button', { name: /^Drop/ }).click();
    await expect.poll(async () => (await names()).length).toBe(before - 1);
  });
});

describe('the formats', () => {
  it('are listed with their readers, and whether OpenSlide is there', async () => {
    const { page } = opened;
    await page.evaluate(() => location.assign('#/settings'));
    const table = page.getByRole('table', { name: 'Slide formats' });
    await table.waitFor();
    expect(await table.getByRole('row').count()).toBe(9);
    expect(await page.getByText(/OpenSlide (\d[\d.]* was found|was not found)/).count()).toBe(1);
  });
});
