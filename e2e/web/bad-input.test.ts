import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTinySlide } from '../../src-main/host/testing/tiny-slide.ts';
import {
  type Host,
  hyaline,
  launchBrowser,
  makeSandbox,
  newPage,
  type Sandbox,
  startHost,
  startHyaline,
  type WatchedPage,
} from './harness.ts';
import { Workstation } from './workstation.ts';

let sandbox: Sandbox;
let files: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  files = join(sandbox.folder, 'files');
  await mkdir(files);
  await writeTinySlide(join(files, 'good.tif'));
  await copyFile(join(files, 'good.tif'), join(files, 'text.svs'));
  await writeFile(join(files, 'text.svs'), 'This is a letter, not a slide.\n');
  const whole = await readFile(join(files, 'good.tif'));
  await writeFile(join(files, 'truncated.tif'), whole.subarray(0, Math.floor(whole.length / 3)));
  await writeFile(join(files, 'broken.onnx'), 'nothing a protobuf reader would take');
});

afterAll(() => sandbox?.dispose());

describe('the workstation, given what it cannot use', () => {
  let host: Host;
  let browser: Browser;
  let opened: WatchedPage;
  let workstation: Workstation;

  beforeAll(async () => {
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
  });

  const closeDialog = () => opened.page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();

  it('says in a sentence that a text file is not a slide', async () => {
    await workstation.chooseFile('Open slide…', join(files, 'text.svs'));
    await workstation.expectSentence(/not a slide/);
    await opened.shot('bad-text-file');
    await closeDialog();
  });

  it('says that a truncated slide is damaged, and opens nothing by half', async () => {
    await workstation.chooseFile('Open slide…', join(files, 'truncated.tif'));
    await workstation.expectSentence(/damaged|cut short|incomplete|ends too early/i);
    await opened.shot('bad-truncated');
    await closeDialog();
    await workstation.expectSentence('No slide yet');
  });

  it('says what is wrong with a file that is no model', async () => {
    await workstation.goTo('Backbones');
    await workstation.chooseFile('Import…', join(files, 'broken.onnx'));
    await workstation.expectSentence(/not an ONNX model|cannot be read|ONNX/);
    await opened.shot('bad-model');
    await closeDialog();
    await workstation.goTo('Library');
  });

  it('asks for the pixel size a slide does not state, remembers it, and marks it as the user’s', async () => {
    const { page } = opened;
    await workstation.openSlide(join(files, 'good.tif'));
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await opened.shot('bad-no-mpp');
    await dialog.getByLabel('Micrometres per pixel').fill('0.5');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await workstation.tab('Slide');
    await workstation.expectSentence(/0\.5 µm/);
    await workstation.expectSentence('set by you');
    await opened.shot('bad-mpp-set');
    await page.reload();
    await workstation.waitForSlide();
    expect(await page.getByRole('dialog').count()).toBe(0);
  });

  it('refuses a second program on the same store, and names the one that has it', async () => {
    const second = await hyaline(['doctor', '--store', sandbox.storeFolder], sandbox);
    expect(second.out).toContain(String(host.pid));
    const args = ['analyze', join(files, 'good.tif'), '--backbone', 'random-resnet18', '--out', join(files, 'out')];
    const analyze = await hyaline([...args, '--store', sandbox.storeFolder], sandbox);
    expect(analyze.code).toBe(4);
    expect(analyze.err).toContain(String(host.pid));
    expect(analyze.err.trim().split('\n')).toHaveLength(1);
  });

  it('goes on all the while', async () => {
    await workstation.goTo('Library');
    await opened.page.getByRole('list', { name: 'Slides' }).waitFor();
    expect(opened.problems).toEqual([]);
    expect(host.complaints()).toBe('');
  });
});

describe('the command line, given several slides of which some are bad', () => {
  it('names the bad ones, does the good ones and says so in its exit code', async () => {
    const out = join(files, 'batch');
    const store = join(sandbox.folder, 'batch-store');
    const slides = ['good.tif', 'text.svs', 'truncated.tif', 'missing.svs'].map((name) => join(files, name));
    const common = ['--backbone', 'random-resnet18', '--out', out, '--store', store, '--slide-mpp', '0.5'];
    const result = await hyaline(['analyze', ...slides, ...common, '--min-tissue', '0', '--json'], sandbox);
    expect(result.code).toBe(3);
    for (const name of ['text.svs', 'truncated.tif', 'missing.svs']) {
      expect(result.err).toContain(`${name}: `);
    }
    const { done, failed } = JSON.parse(result.out) as { done: { files: string[] }[]; failed: { slide: string }[] };
    expect(failed.map(({ slide }) => slide)).toEqual(slides.slice(1));
    expect(done[0]?.files.toSorted()).toEqual([
      'case.pdf',
      'maps/clusters.png',
      'maps/pca.png',
      'run.json',
      'tiles.csv',
    ]);
    expect(await readdir(out)).toEqual(['good']);
    expect((await readFile(join(out, 'good', 'case.pdf'))).subarray(0, 5).toString()).toBe('%PDF-');
  });

  it('asks for the pixel size where there is none', async () => {
    const store = join(sandbox.folder, 'no-mpp-store');
    const args = ['analyze', join(files, 'good.tif'), '--backbone', 'random-resnet18', '--out', join(files, 'no-mpp')];
    const result = await hyaline([...args, '--store', store], sandbox);
    expect(result).toMatchObject({ code: 1, err: expect.stringContaining('--slide-mpp') });
  });
});

describe('Ctrl-C during an analysis', () => {
  it('ends it with its own exit code, keeps what is computed and frees the store', async () => {
    const store = join(sandbox.folder, 'cancel-store');
    const args = [
      'analyze',
      join(files, 'good.tif'),
      '--backbone',
      'random-resnet18',
      '--out',
      join(files, 'cancelled'),
    ];
    const many = ['--store', store, '--slide-mpp', '0.5', '--min-tissue', '0', '--stride-um', '10'];
    const running = startHyaline([...args, ...many], sandbox);
    // The lock shows that the store is open; the job starts right after.
    await expect.poll(() => existsSync(join(store, 'hyaline.db.lock')), { timeout: 30_000 }).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 4000));
    running.child.kill('SIGINT');
    expect(await running.finished).toMatchObject({
      code: 130,
      out: '',
      err: 'Cancelled. Run the same command again to continue.\n',
    });
    const doctor = await hyaline(['doctor', '--store', store, '--json'], sandbox);
    expect(JSON.parse(doctor.out)).toMatchObject({ problems: [], store: { status: { readOnly: false } } });
  });
});

describe('a full disk', () => {
  const mountable = (): boolean =>
    process.platform === 'linux' &&
    spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' }).status === 0;

  it('ends an analysis with a sentence; nothing half-written stays, and it works once there is room', async ({
    skip,
  }) => {
    skip(!mountable(), 'this system does not permit a small disk of its own (unshare -m, mount)');
    const store = join(sandbox.folder, 'small-disk');
    await mkdir(store);
    const onDisk = (sizeMb: number): readonly string[] => {
      const script = `mount -t tmpfs -o size=${sizeMb}m tmpfs '${store}' && exec "$@"`;
      return ['unshare', '-m', 'sh', '-c', script, 'sh'];
    };
    const out = join(files, 'full');
    const args = ['analyze', join(files, 'good.tif'), '--backbone', 'random-resnet18', '--out', out, '--store', store];
    const full = await hyaline([...args, '--slide-mpp', '0.5'], sandbox, onDisk(16));
    expect(full.code).toBe(1);
    expect(full.err).toMatch(/disk is full|no room|not enough/i);
    expect(full.err).not.toMatch(/\n\s+at /);
    expect(await readdir(out).catch(() => [])).toEqual([]);
    const roomy = await hyaline([...args, '--slide-mpp', '0.5', '--min-tissue', '0'], sandbox, onDisk(256));
    expect(roomy).toMatchObject({ code: 0, err: '' });
  });
});
