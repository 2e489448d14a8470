import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grey, type Paint, paintImages, pink } from '../../src-main/engine/compare/testing.ts';
import { writeSynthetic } from '../../src-main/engine/slide/synthetic/write-synthetic.ts';
import {
  type Host,
  hyaline,
  launchBrowser,
  makeSandbox,
  newPage,
  type Sandbox,
  startHost,
  type WatchedPage,
} from './harness.ts';
import { writeLittleNetwork } from './little-network.ts';
import { Workstation } from './workstation.ts';

const JOB_TIMEOUT_MS = 120_000;
/** What the planted filter sees, and colour does not. */
const weave: Paint = (x, y) => 128 + ((x + y) % 2 === 0 ? 4 : -4);

/** A comparison as a user makes one: folders chosen, checked, run, looked into, saved. Steps build on each other. */
describe('a comparison', () => {
  let sandbox: Sandbox;
  let host: Host;
  let browser: Browser;
  let opened: WatchedPage;

  beforeAll(async () => {
    sandbox = await makeSandbox();
    const tasks = join(sandbox.folder, 'tasks');
    await paintImages(join(tasks, 'texture', 'plain'), 15, grey, 21);
    await paintImages(join(tasks, 'texture', 'weave'), 15, weave, 22);
    await paintImages(join(tasks, 'colour', 'grey'), 15, grey, 3);
    await paintImages(join(tasks, 'colour', 'pink'), 15, pink, 4);
    await paintImages(join(tasks, 'lonely', 'one'), 6, grey, 5);
    for (const [name, origin, seed] of [
      ['planted', 'imagenet', 1],
      ['drawn', 'random', 2],
    ] as const) {
      const modelPath = join(sandbox.folder, `${name}.onnx`);
      await writeLittleNetwork(modelPath, origin !== 'random', seed);
      const input = { widthPx: 16, heightPx: 16, scale: 1 / 64, mean: [2, 2, 2], std: [1, 1, 1] };
      const card = JSON.stringify({ name, origin, architecture: 'little', licence: 'MIT', input });
      const { code, err } = await hyaline(
        ['backbone', 'import', modelPath, '--card', card, '--store', sandbox.storeFolder],
        sandbox,
      );
      expect(code, err).toBe(0);
    }
    host = await startHost(sandbox);
    browser = await launchBrowser(sandbox);
    opened = await newPage(browser, host.origin);
    await opened.page.goto(host.openingUrl);
    await opened.page.getByText('No slide yet').waitFor();
  }, 240_000);

  afterAll(async () => {
    await browser?.close();
    await host?.stop();
    await sandbox?.dispose();
  });

  it('begins with a check of what was chosen', async () => {
    const { page } = opened;
    await page.getByRole('navigation').getByText('Compare', { exact: true }).click();
    await page.getByText('No comparison yet').waitFor();
    await page.getByRole('button', { name: 'New comparison' }).click();
    expect(await page.getByRole('button', { name: 'Start comparison' }).isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'Add tasks…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('ul[aria-busy="false"]').waitFor();
    await dialog.getByLabel('Folder', { exact: true }).fill(join(sandbox.folder, 'tasks'));
    await dialog.getByRole('button', { name: 'Go', exact: true }).click();
    await dialog.getByRole('button', { name: 'lonely' }).waitFor();
    await dialog.getByRole('button', { name: 'Use folder tasks' }).click();
    await page.getByRole('article', { name: 'Task texture' }).getByText('2 classes, 30 images').waitFor();
    await page.getByRole('article', { name: 'Task lonely' }).getByText('one class only').waitFor();
    for (const name of ['planted', 'drawn']) await page.getByLabel(name, { exact: true }).check();
    await page.getByLabel('Robustness: shift stain').check();
    await page.getByLabel('Test images to shift, per task').fill('8');
    await opened.shot('compare-form');
  }, 60_000);

  it(
    'shows the numbers it exports, with the alarm beside the task a colour solves',
    async () => {
      const { page } = opened;
      await page.getByRole('button', { name: 'Start comparison' }).click();
      const table = page.getByRole('table', { name: 'Scores' });
      await table.waitFor({ timeout: JOB_TIMEOUT_MS });
      await opened.shot('compare-scores');
      const scores = await exported('scores.csv');
      expect(scores).toHaveLength(2 * 2 * 3);
      for (const { task, backbone, cut, score } of scores) {
        const name = `${backbone} at ${cut} on ${task}: ${(100 * Number(score)).toFixed(1)}. What stands behind it`;
        expect(await table.getByRole('button', { name, exact: true }).count(), name).toBe(1);
      }
      const confounded = new Set(scores.filter((row) => row.confounded === '1').map(({ task }) => task));
      expect(confounded).toEqual(new Set(['colour']));
      expect(await table.getByText(/^No: mean colour alone/).count()).toBe(1);
    },
    JOB_TIMEOUT_MS,
  );

  it('shows gain, pairs and robustness as they are exported', async () => {
    const { page } = opened;
    await page.getByRole('tab', { name: 'Knowledge gain' }).click();
    await page.getByText(/our operationalisation of Li and Plataniotis/).waitFor();
    const onTexture = (row: Row) =>
      row.task === 'texture' && row.backbone === 'planted' && row.gain !== '' && row.cut !== 'chosen';
    await page.getByLabel('Task', { exact: true }).selectOption({ label: 'texture' });
    const early = (await exported('scores.csv')).find(onTexture);
    const gains = page.getByRole('table', { name: 'Knowledge gain' });
    const row = gains
      .getByRole('row')
      .filter({ hasText: early?.cut ?? '' })
      .first();
    expect(await row.innerText()).toContain(signed(Number(early?.gain)));
    await opened.shot('compare-gain');
    await page.getByRole('tab', { name: 'Is it real?' }).click();
    const [pair] = (await exported('pairs.csv')).filter(({ task }) => task === 'texture');
    await page.getByText(pair?.sentence ?? 'no sentence', { exact: true }).waitFor();
    await page.getByRole('tab', { name: 'Robustness' }).click();
    const shifted = (await exported('robustness.csv')).find(
      ({ task, shift }) => task === 'texture' && shift === 'blur',
    );
    const blur = page.getByRole('table', { name: 'Robustness' }).getByRole('row').filter({ hasText: 'blur' }).first();
    expect(await blur.innerText()).toContain((100 * Number(shifted?.score)).toFixed(1));
    for (const [tab, name] of [
      ['Score and cost', 'compare-cost'],
      ['Similarity', 'compare-similarity'],
      ['How it was made', 'compare-made'],
    ] as const) {
      await page.getByRole('tab', { name: tab }).click();
      await opened.shot(name);
    }
  }, 60_000);

  it('opens a score down to the images that were judged wrongly', async () => {
    const { page } = opened;
    await page.getByRole('tab', { name: 'Scores' }).click();
    await page.getByRole('button', { name: /^drawn at features on texture/ }).click();
    const dialog = page.getByRole('dialog');
    const images = dialog.getByRole('list', { name: 'Misjudged images' }).locator('img');
    await images.first().waitFor();
    const wrong = await dialog.getByRole('table', { name: 'Confusion' }).locator('.wrong').allInnerTexts();
    expect(await images.count()).toBe(wrong.reduce((sum, text) => sum + Number(text), 0));
    await expect
      .poll(() => images.first().evaluate((image) => (image as HTMLImageElement).naturalWidth))
      .toBeGreaterThan(0);
    await opened.shot('compare-cell');
    await dialog.getByRole('button', { name: 'Close' }).click();
  }, 60_000);

  it(
    'puts two maps of a slide beside each other, moving together',
    async () => {
      const { page } = opened;
      const workstation = new Workstation(page);
      const path = join(sandbox.folder, 'slide.tif');
      await writeSynthetic({ outPath: path, widthPx: 768, heightPx: 768, seed: 1, lesions: 1 });
      await workstation.goTo('Library');
      await workstation.openSlide(path);
      for (const backbone of ['planted', 'drawn']) {
        await workstation.startAnalysis(backbone);
        await page.getByLabel('Features of').or(page.getByLabel('Legend')).first().waitFor({ timeout: JOB_TIMEOUT_MS });
        await workstation.waitForMap();
      }
      await page.getByRole('button', { name: 'Side by side' }).click();
      const panes = page.getByRole('figure');
      await expect.poll(() => panes.count()).toBe(2);
      const box = await panes.first().boundingBox();
      if (box === null) throw new Error('the pane is not on the screen');
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      await page.mouse.click(x, y);
      await page.getByText(/rank agreement of A and B/).waitFor();
      await expect.poll(() => panes.count()).toBe(3);
      const agreement = Number((await page.locator('.figure strong').innerText()).replace('\u2212', '-'));
      expect(Math.abs(agreement)).toBeLessThanOrEqual(1);
      await page.getByText(/the same grid/).waitFor();
      const views = () => panes.evaluateAll((all) => all.map((each) => (each as HTMLElement).dataset.view ?? ''));
      const before = await views();
      await page.mouse.move(x + 20, y + 20);
      await page.mouse.wheel(0, -300);
      await expect.poll(async () => new Set(await views()).size).toBe(1);
      expect((await views())[1]).not.toBe(before[1]);
      const list = page.getByRole('list', { name: 'Tiles on which the maps disagree most' });
      await list.getByRole('button').first().click();
      await expect.poll(async () => new Set(await views()).size).toBe(1);
      await opened.shot('compare-side-by-side');
      await page.getByRole('button', { name: 'Back to one map' }).click();
      await workstation.stage.waitFor();
    },
    JOB_TIMEOUT_MS,
  );

  it('is there again after a reload, and goes when it is removed', async () => {
    const { page } = opened;
    await page.getByRole('navigation').getByText('Compare', { exact: true }).click();
    await page.reload();
    await page.getByRole('table', { name: 'Scores' }).waitFor();
    await page.getByRole('button', { name: 'Remove…' }).click();
    await page.getByRole('button', { name: 'Remove comparison' }).click();
    await page.getByText('No comparison yet').waitFor();
    expect(opened.problems).toEqual([]);
    expect(opened.foreign).toEqual([]);
  }, 60_000);

  type Row = Readonly<Record<string, string>>;

  /** A table of the comparison, saved through the screen. */
  async function exported(fileName: string): Promise<readonly Row[]> {
    const { page } = opened;
    await page.getByRole('button', { name: 'Export…' }).click();
    const dialog = page.getByRole('dialog');
    const entry = dialog.getByRole('listitem').filter({ hasText: fileName });
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      entry.getByRole('button', { name: 'Save' }).click(),
    ]);
    await dialog.getByRole('button', { name: 'Close' }).first().click();
    const text = await readFile(await download.path(), 'utf8');
    const [header = [], ...lines] = text.trim().split('\r\n').map(cellsOf);
    return lines.map((cells) => Object.fromEntries(header.map((name, i) => [name, cells[i] ?? ''])));
  }
});

/** Cells of a line; quoted ones may hold commas. */
function cellsOf(line: string): readonly string[] {
  return [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)]
    .map(([, cell = '']) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell))
    .slice(0, line.split(',').length);
}

const signed = (gain: number): string => `${gain > 0 ? '+' : ''}${(100 * gain).toFixed(1).replace('-', '\u2212')}`;
