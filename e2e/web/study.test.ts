import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSynthetic } from '../../src-main/engine/slide/synthetic/write-synthetic.ts';
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

const SLIDES_PER_CLASS = 4;
const SIDE_PX = 768;

/** A study as a user makes one: labels in, heads trained, a slide looked at where they look. Steps build on each other. */
describe('a study', () => {
  let sandbox: Sandbox;
  let host: Host;
  let browser: Browser;
  let opened: WatchedPage;
  let workstation: Workstation;
  const paths: string[] = [];

  beforeAll(async () => {
    sandbox = await makeSandbox();
    for (let i = 1; i <= SLIDES_PER_CLASS; i++) {
      for (const [kind, lesions] of [
        ['plain', 0],
        ['lesion', 2],
      ] as const) {
        const outPath = join(sandbox.folder, `${kind}-${i}.tif`);
        const seed = i + (kind === 'lesion' ? 100 : 0);
        await writeSynthetic({ outPath, widthPx: SIDE_PX, heightPx: SIDE_PX, seed, lesions });
        paths.push(outPath);
      }
    }
    host = await startHost(sandbox);
    browser = await launchBrowser(sandbox);
    opened = await newPage(browser, host.origin);
    workstation = new Workstation(opened.page);
    await opened.page.goto(host.openingUrl);
    await opened.page.getByText('No slide yet').waitFor();
  }, 240_000);

  afterAll(async () => {
    await browser?.close();
    await host?.stop();
    await sandbox?.dispose();
  });

  const rail = (name: string) => opened.page.getByRole('navigation').getByText(name, { exact: true });

  it('is explained before there is one', async () => {
    await rail('Study').click();
    await workstation.expectSentence('No study yet');
    await workstation.expectSentence(/judged only by heads that never saw it/);
    await opened.shot('study-0-empty');
  });

  it('takes a pasted table, names what it does not know, and says why it cannot start yet', async () => {
    const { page } = opened;
    await rail('Library').click();
    const files = await Promise.all(
      paths.map(async (path) => ({ name: basename(path), base64: (await readFile(path)).toString('base64') })),
    );
    await page.evaluate((list) => {
      const transfer = new DataTransfer();
      for (const { name, base64 } of list) {
        const data = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        transfer.items.add(new File([data], name));
      }
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }, files);
    // Each opens in the viewer as it arrives.
    await page.getByRole('heading', { name: files.at(-1)?.name ?? '', level: 1 }).waitFor({ timeout: 120_000 });
    await rail('Study').click();
    await page.getByRole('button', { name: 'New study' }).click();
    expect(await page.getByRole('button', { name: `List the ${paths.length} slides` }).count()).toBe(1);
    const start = page.getByRole('button', { name: 'Start study' });
    expect(await start.isDisabled()).toBe(true);
    // The last slide stays out: it is asked about later.
    const rows = paths
      .slice(0, -1)
      .map((path, i) => `p${i},${basename(path, '.tif')},${basename(path).split('-')[0]},${40 + i}`);
    await page
      .getByLabel('Table of labels')
      .fill(['case_id,slide_id,label,age', ...rows, 'p99,elsewhere.svs,plain,1'].join('\n'));
    await workstation.expectSentence(/Not in the library, left out: elsewhere\.svs/);
    await workstation.expectSentence('Kept beside the labels and written to exports, used by nothing: age.');
    await workstation.expectSentence('Give the study a name.');
    await workstation.expectSentence(`plain has ${SLIDES_PER_CLASS} patients, fewer than the 5 folds.`);
    await opened.shot('study-1-form');
    await page.getByLabel('Folds').selectOption('3');
    await page.getByLabel('Seeds').selectOption('2');
    await page.getByLabel('Epochs').fill('40');
    await page.getByLabel('Epochs').blur();
    await page.getByLabel('Name of the study').fill('Lesions');
    await expect.poll(() => start.isDisabled()).toBe(false);
    // What the splits would hold is shown before anything is trained.
    const planned = page.getByRole('region', { name: 'Split, before anything is trained' });
    await expect.poll(() => planned.locator('tbody tr').count(), { timeout: 20_000 }).toBe(3);
  });

  it('takes a label back when it is cleared in the table', async () => {
    const { page } = opened;
    const first = page.getByLabel('Label of plain-1.tif');
    await first.fill('');
    await first.press('Enter');
    await workstation.expectSentence('1 slide without a label is left out.');
    await first.fill('plain');
    await first.press('Enter');
    await expect.poll(() => page.getByText('1 slide without a label').count()).toBe(0);
    await opened.shot('study-2-ready');
  });

  it('trains with progress and shows figures, curves, split and predictions', async () => {
    const { page } = opened;
    await page.getByRole('button', { name: 'Start study' }).click();
    await page.getByRole('progressbar', { name: 'Training' }).waitFor();
    // Heads learn: their curves grow on the page. Cancelled, the study says so, and goes on where it was.
    await page.getByRole('heading', { name: 'Learning curves' }).waitFor({ timeout: 240_000 });
    await opened.shot('study-3-training');
    await page.getByRole('button', { name: 'Cancel', exact: true }).first().click();
    await page.getByRole('heading', { name: 'Not finished' }).waitFor({ timeout: 60_000 });
    await opened.shot('study-3-cancelled');
    await page.getByRole('button', { name: 'Resume', exact: true }).first().click();
    await page.getByRole('table', { name: 'Figures' }).waitFor({ timeout: 240_000 });
    expect(await page.getByRole('table', { name: 'Predictions, most wrong first' }).locator('tbody tr').count()).toBe(
      paths.length - 1,
    );
    expect(await page.getByRole('table', { name: 'Split audit' }).locator('tbody tr').count()).toBe(3);
    expect(await page.getByRole('img', { name: /^Split \d, 2 seeds: weights kept/ }).count()).toBe(3);
    for (const name of ['Plots', 'Checks of the maps', 'External validation']) {
      expect(await page.getByRole('region', { name, exact: true }).count(), name).toBe(1);
    }
    expect(await page.getByRole('table', { name: 'Called against label' }).locator('tbody tr').count()).toBe(2);
    await workstation.expectSentence(/Weights the model used, not where disease is\./);
    await opened.shot('study-4-page');
    await page.getByRole('heading', { name: 'Plots' }).scrollIntoViewIfNeeded();
    await opened.shot('study-4-plots');
    await page.getByRole('heading', { name: 'Checks of the maps' }).scrollIntoViewIfNeeded();
    await opened.shot('study-4-checks');
    await page.getByRole('heading', { name: 'How it was made' }).scrollIntoViewIfNeeded();
    await opened.shot('study-4-page-end');
  });

  it('has its backbone fine-tuned: forecast, live curve, stop and go on, figures and layers before and after', async () => {
    const { page } = opened;
    await page.getByRole('button', { name: 'Fine-tune…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Tiles of each slide').fill('1');
    await dialog.getByLabel('Epochs').fill('3');
    await dialog.getByLabel('Epochs').blur();
    await dialog.getByText(/^\d tiles in each epoch/).waitFor({ timeout: 60_000 });
    await dialog.getByLabel('What is trained').selectOption({ label: 'What lies behind layer3' });
    await dialog.getByRole('button', { name: 'Fine-tune', exact: true }).click();
    await page.getByRole('heading', { name: 'Lesions, fine-tuned on split 1' }).waitFor();
    expect(await page.getByRole('button', { name: 'Edit…' }).count()).toBe(0);
    await page.getByRole('img', { name: /^Split 1, 1 seed: / }).waitFor({ timeout: 120_000 });
    await opened.shot('study-4-fine-tuning');
    await page.getByRole('button', { name: 'Cancel', exact: true }).first().click();
    await page.getByRole('heading', { name: 'Not finished' }).waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Resume', exact: true }).first().click();
    const figures = page.getByRole('table', { name: 'Figures before and after' });
    await figures.waitFor({ timeout: 120_000 });
    expect(await figures.getByRole('row', { name: /^AUC/ }).innerText()).toMatch(/AUC\s+[01]\.\d{3}\s+[01]\.\d{3}/);
    const layers = page.getByRole('table', { name: 'Each cut before and after' });
    await layers.waitFor({ timeout: 120_000 });
    // What was kept as it was is the same to the last digit.
    expect(await layers.getByRole('row', { name: /^layer3/ }).innerText()).toMatch(/layer3\s+1\.000\s+1\.000/);
    await page.getByRole('img', { name: /^Similarity of \d+ layers before/ }).scrollIntoViewIfNeeded();
    await opened.shot('study-4-tuned');
    await page.getByRole('button', { name: 'Remove…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove study' }).click();
    await workstation.expectSentence('Lesions, fine-tuned on split 1 was removed. The features of its slides stay.');
    await page.getByRole('button', { name: /^Lesions/ }).click();
  });

  it('opens a slide with what the heads weigh over it, at the tile they weigh most', async () => {
    const { page } = opened;
    await page.getByRole('button', { name: /^Open lesion-1\.tif at its top tile/ }).click();
    await workstation.waitForSlide();
    await workstation.expectSentence('Attention in study Lesions, times the average tile');
    await workstation.expectSentence(/only heads that never saw it judge it/);
    const top = page.getByRole('list', { name: 'Top tiles, highest first' }).getByRole('button').first();
    await expect.poll(() => top.getAttribute('aria-pressed'), { timeout: 30_000 }).toBe('true');
    await workstation.settled();
    await opened.shot('study-5-attention');
    await page.getByLabel('View', { exact: true }).selectOption({ label: 'Contribution to lesion' });
    await workstation.expectSentence('What a tile adds for lesion in study Lesions');
    const bottom = page.getByRole('list', { name: 'Bottom tiles, lowest first' }).getByRole('button');
    await bottom.first().click();
    await workstation.settled();
    const before = await workstation.stage.getAttribute('data-centre');
    await bottom.nth(1).click();
    await expect.poll(() => workstation.stage.getAttribute('data-centre')).not.toBe(before);
    await workstation.settled();
    await opened.shot('study-6-contribution');
  });

  it('judges a slide it never saw in one step: features, prediction, map', async () => {
    const { page } = opened;
    await page.getByRole('button', { name: 'To the study' }).click();
    const unseen = page.getByRole('region', { name: 'Predict another slide' });
    expect(await unseen.getByRole('option').allTextContents()).toEqual([basename(paths.at(-1) ?? '')]);
    await unseen.getByRole('button', { name: 'Predict' }).click();
    await workstation.expectSentence('This slide is not part of the study.');
    await workstation.expectSentence(/Mean of 6 heads/);
    await workstation.expectSentence('Attention in study Lesions, times the average tile');
    await workstation.settled();
    await opened.shot('study-6-unseen');
    // It stays on the page of the study.
    await page.getByRole('button', { name: 'To the study' }).click();
    const asked = page.getByRole('table', { name: 'Slides asked about' });
    await asked.waitFor();
    expect(await asked.getByRole('row', { name: basename(paths.at(-1) ?? '') }).count()).toBe(1);
    await asked.scrollIntoViewIfNeeded();
    await opened.shot('study-6-asked');
  });

  it('is changed as a new version, with all that its table said', async () => {
    const { page } = opened;
    await page.getByRole('button', { name: 'New version…' }).click();
    expect(await page.getByLabel('Name of the study').inputValue()).toBe('Lesions, version 2');
    expect(await page.getByLabel('Table of labels').inputValue()).toContain('p0,plain-1.tif,plain,,40');
    await page.getByRole('button', { name: 'Keep it', exact: true }).click();
    await workstation.expectSentence('Lesions, version 2');
    await page.getByRole('button', { name: 'Edit…' }).click();
    await page.getByLabel('Patient of plain-1.tif').fill('somebody');
    await page.getByLabel('Patient of plain-1.tif').press('Enter');
    await opened.shot('study-6-edit');
    await page.getByRole('button', { name: 'Keep changes' }).click();
    await page.getByRole('button', { name: 'Edit…' }).click();
    expect(await page.getByLabel('Table of labels').inputValue()).toContain('somebody,plain-1.tif');
    await page.getByRole('tab', { name: 'From files' }).click();
    await opened.shot('study-6-files');
    // Trained as a mean of tiles, whose weights are all the same, it opens slides with what tiles add instead.
    await page.getByRole('tab', { name: 'By a backbone' }).click();
    await page.getByLabel('Preset').selectOption({ label: 'Linear, solved for' });
    await page.getByRole('button', { name: 'Keep changes' }).click();
    await page.getByRole('button', { name: 'Train it', exact: true }).click();
    await page.getByRole('button', { name: /^Open lesion-1\.tif at its top tile/ }).click({ timeout: 120_000 });
    await workstation.waitForSlide();
    await workstation.expectSentence('What a tile adds for plain in study Lesions, version 2');
    await page.getByRole('button', { name: 'To the study' }).click();
    await page.getByRole('button', { name: 'Remove…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove study' }).click();
    await workstation.expectSentence('Lesions, version 2 was removed. The features of its slides stay.');
    await page.getByRole('button', { name: /^Lesions/ }).click();
  });

  it('stays after a reload, and goes when it is removed', async () => {
    const { page } = opened;
    await page.reload();
    await page.getByRole('table', { name: 'Figures' }).waitFor();
    await rail('Study').click();
    await page.getByRole('button', { name: /^Lesions/ }).waitFor();
    await opened.shot('study-7-list');
    await rail('Settings').click();
    await page.getByRole('tab', { name: 'Light' }).click();
    await rail('Study').click();
    await page.getByRole('button', { name: /^Lesions/ }).click();
    await opened.shot('study-8-light');
    await page.getByRole('button', { name: 'Remove…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove study' }).click();
    await workstation.expectSentence('No study yet');
  });

  it('complains of nothing', () => {
    expect(opened.problems).toEqual([]);
    expect(opened.foreign).toEqual([]);
    expect(host.complaints()).toBe('');
  });
});
