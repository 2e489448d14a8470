import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { safetensorsOf } from '../../src-main/engine/backbone/testing/checkpoint-file.ts';
import { cutNetwork } from './cut-network.ts';
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

const cut = await cutNetwork();

describe('backbones in the app', () => {
  let sandbox: Sandbox;
  let host: Host;
  let browser: Browser;
  let opened: WatchedPage;
  let workstation: Workstation;

  beforeAll(async () => {
    sandbox = await makeSandbox();
    await mkdir(join(sandbox.folder, 'files'));
    const whole = safetensorsOf('squeezenet1_1', 'model.');
    await writeFile(join(sandbox.folder, 'files', 'squeeze.safetensors'), whole);
    const renamed = whole.toString('latin1').replace('features.0.', 'features.Q.');
    await writeFile(join(sandbox.folder, 'files', 'renamed.safetensors'), renamed, 'latin1');
    host = await startHost(sandbox, [], cut?.wrap);
    browser = await launchBrowser(sandbox, cut?.wrap);
    opened = await newPage(browser, host.origin);
    opened.page.setDefaultTimeout(15_000);
    workstation = new Workstation(opened.page);
    await opened.page.goto(host.openingUrl);
    await workstation.goTo('Backbones');
  });

  afterAll(async () => {
    await browser?.close();
    await host?.stop();
    cut?.dispose();
    await sandbox?.dispose();
  });

  const report = (): Locator => opened.page.getByRole('region', { name: 'Keys of the checkpoint' });
  const card = (name: string): Locator => opened.page.getByRole('article', { name, exact: true });

  it('takes a checkpoint in and shows how its keys fit', async () => {
    await workstation.chooseFile('Import…', join(sandbox.folder, 'files', 'squeeze.safetensors'));
    await opened.page.getByRole('button', { name: 'Later' }).click();
    await report().getByText('squeeze: keys of the checkpoint').waitFor();
    expect(await report().innerText()).toMatch(/50 of 50[\s\S]*model\./);
    await card('squeeze').waitFor();
    await opened.shot('backbones-imported');
  });

  it('shows what a checkpoint lacks that cannot be used', async () => {
    await workstation.chooseFile('Import…', join(sandbox.folder, 'files', 'renamed.safetensors'));
    await report().getByText('The checkpoint was not imported: its keys').waitFor();
    expect(await opened.page.getByRole('dialog').count()).toBe(0);
    await report().getByText('Names').first().click();
    expect(await report().innerText()).toContain('features.0.');
    expect(await card('renamed').count()).toBe(0);
    await opened.shot('backbones-refused');
  });

  it('makes a random twin', async () => {
    const { page } = opened;
    await card('squeeze').getByRole('button', { name: 'Random twin…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Seed').fill('7');
    await dialog.getByRole('button', { name: 'Make twin' }).click();
    await card('squeeze-random-7').waitFor();
    await card('squeeze-random-7').getByText('Random', { exact: true }).waitFor();
  });

  it('writes one cut as a file', async () => {
    const { page } = opened;
    await card('squeeze').getByRole('button', { name: 'Export cut…' }).click();
    const dialog = page.getByRole('dialog');
    await opened.shot('backbones-export');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      dialog.getByRole('button', { name: 'Export', exact: true }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/^squeeze@.+\.onnx$/);
    expect((await readFile(await download.path())).length).toBeGreaterThan(10_000);
    await dialog.waitFor({ state: 'detached' });
  });

  it.skipIf(cut === null)('says before a download that it uses the network, and why it failed', async () => {
    const { page } = opened;
    await page.getByText('Public checkpoints', { exact: true }).click();
    const list = page.getByRole('list', { name: 'Public checkpoints' });
    await list.getByText('ciga-resnet18', { exact: true }).waitFor();
    await list.getByRole('button', { name: 'Download resnet18-imagenet from download.pytorch.org' }).click();
    await list.getByText('The checkpoint could not be downloaded.').waitFor({ timeout: 30_000 });
    await opened.shot('backbones-catalogue');
    // Without a network: the same file from a folder.
    const mirror = join(sandbox.folder, 'mirror');
    await mkdir(join(mirror, 'ciga-resnet18'), { recursive: true });
    const file = safetensorsOf('resnet18', 'model.resnet.');
    await writeFile(join(mirror, 'ciga-resnet18', 'pytorchnative_tenpercent_resnet18.ckpt'), file);
    await page.getByLabel('Take the files from').fill(mirror);
    await page.getByRole('button', { name: 'Use', exact: true }).click();
    await list.getByText('Not in the folder').first().waitFor();
    await list.getByRole('button', { name: 'Import ciga-resnet18 from the folder' }).click();
    await card('ciga-resnet18').waitFor();
    await opened.shot('backbones-mirror');
  });

  it('says what each device is, pins one and tests again', async () => {
    const { page } = opened;
    await workstation.goTo('Settings');
    const devices = page.getByRole('group', { name: 'Device inference runs on' });
    await devices.getByText('In use').waitFor({ timeout: 60_000 });
    await devices.getByRole('radio', { name: /^CPU/ }).check();
    await devices.getByText('You have pinned it.').waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Test again' }).click();
    await devices.getByText('Not tested').first().waitFor({ state: 'hidden', timeout: 60_000 });
    await opened.shot('settings-devices');
  });

  it('asks nobody but its host, and breaks nothing on the way', () => {
    expect(opened.foreign).toEqual([]);
    expect(opened.problems).toEqual([]);
  });
});
