import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realSlide } from '../../src-main/engine/testing/real-data.ts';
import { type CutNetwork, cutNetwork, outsideError } from './cut-network.ts';
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
import { Workstation } from './workstation.ts';

const SLIDE = realSlide('aperio/CMU-1-Small-Region.svs');
const TELEMETRY = join('Microsoft', 'DeveloperTools', '.onnxruntime');

/**
 * Opens the smallest of models: bytes that are none suffice, because the runtime starts before it reads them. Stays
 * alive for a while: what the runtime writes, it writes on a thread of its own.
 */
const USE_ONNXRUNTIME =
  "require('onnxruntime-node').InferenceSession.create(Buffer.from([8, 7])).catch(() => setTimeout(() => 0, 5000))";

/**
 * The main job, as a user does it, with host and browser in a network that holds nothing but loopback (where the system
 * permits that). Steps build on each other.
 */
describe('the main job', () => {
  const problems: string[] = [];
  const foreign: string[] = [];
  const network: { cut: CutNetwork | null } = { cut: null };
  let sandbox: Sandbox;
  let host: Host;
  let browser: Browser;
  let opened: WatchedPage;
  let workstation: Workstation;

  beforeAll(async () => {
    network.cut = await cutNetwork();
    sandbox = await makeSandbox();
    const wrap = network.cut?.wrap ?? [];
    host = await startHost(sandbox, [], wrap);
    browser = await launchBrowser(sandbox, wrap);
    opened = await newPage(browser, host.origin);
    workstation = new Workstation(opened.page);
  });

  afterAll(async () => {
    await browser?.close();
    await host?.stop();
    network.cut?.dispose();
    await sandbox?.dispose();
  });

  it('runs with the network cut off', ({ skip }) => {
    skip(network.cut === null, 'this system does not permit a network of its own (unshare, ip)');
    expect(network.cut && outsideError(network.cut)).toBe('ENETUNREACH');
  });

  it('opens the workstation with an empty library', async () => {
    await opened.page.goto(host.openingUrl);
    await workstation.expectSentence('No slide yet');
    await opened.shot('1-library');
  });

  it(`opens ${SLIDE === null ? 'the demo slide' : 'a real slide'} in the viewer`, async () => {
    if (SLIDE === null) {
      await opened.page.getByRole('button', { name: 'Demo slide' }).first().click();
      await workstation.waitForSlide(240_000);
    } else {
      await workstation.openSlide(SLIDE);
    }
    await workstation.settled();
    await opened.shot('2-viewer');
  });

  it('runs a backbone over it, with progress, until the map of its features is drawn', async () => {
    await workstation.startAnalysis('random-resnet18');
    await opened.page.getByRole('progressbar', { name: 'Analysis' }).waitFor();
    await opened.shot('3-progress');
    await workstation.waitForMap();
    await workstation.expectSentence(/like colours, like tissue/);
    await opened.shot('4-pca-map');
  });

  it('finds tiles like the one that is clicked, and flies to the best', async () => {
    const { page } = opened;
    await page.getByRole('tab', { name: 'More like this' }).click();
    await workstation.clickStage(0.5, 0.5);
    const gallery = page.getByRole('list', { name: 'Most alike tiles, best first' });
    await gallery.waitFor();
    const scores = (await gallery.getByRole('listitem').allInnerTexts()).map(Number);
    expect(scores.length).toBeGreaterThan(3);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(scores.every((score) => score > -1.0001 && score < 1.0001)).toBe(true);
    await opened.shot('5-similar');
    const before = await workstation.stage.getAttribute('data-centre');
    await gallery.getByRole('button').first().click();
    await expect.poll(() => workstation.stage.getAttribute('data-centre')).not.toBe(before);
    await workstation.settled();
    await opened.shot('6-flown-to');
  });

  it('exports the report as a PDF', async () => {
    const { page } = opened;
    await page.getByRole('button', { name: /Report \(PDF\)/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Heading').fill('Main job');
    const download = page.waitForEvent('download', { timeout: 120_000 });
    await dialog.getByRole('button', { name: 'Export PDF' }).click();
    const file = await download;
    const bytes = await readFile(await file.path());
    expect(file.suggestedFilename()).toMatch(/\.pdf$/);
    expect(bytes.subarray(0, 5).toString()).toBe('%PDF-');
    expect(bytes.subarray(-8).toString()).toContain('%%EOF');
    expect(bytes.length).toBeGreaterThan(20_000);
    await opened.shot('7-report');
    await dialog.getByRole('button', { name: 'Close' }).first().click();
  });

  it('shows the map at once when the slide is opened again, after a restart too', async () => {
    await opened.context.close();
    problems.push(...opened.problems);
    foreign.push(...opened.foreign);
    expect(await host.stop()).toBe(0);
    host = await startHost(sandbox, [], network.cut?.wrap ?? []);
    opened = await newPage(browser, host.origin);
    workstation = new Workstation(opened.page);
    await opened.page.goto(host.openingUrl);
    await opened.page
      .getByRole('list', { name: 'Slides' })
      .getByRole('button', { name: /^Open / })
      .first()
      .click();
    await workstation.waitForSlide();
    await workstation.tab('Maps');
    await workstation.waitForMap(15_000);
    expect(await opened.page.getByRole('progressbar', { name: 'Analysis' }).count()).toBe(0);
    await workstation.settled();
    await opened.shot('8-reopened');
  });

  it('would have seen telemetry: onnxruntime left to itself writes that folder', ({ skip }) => {
    skip(network.cut === null || process.platform !== 'linux', 'only tried where the network is cut off');
    const [program = '', ...args] = [...(network.cut?.wrap ?? []), process.execPath, '-e', USE_ONNXRUNTIME];
    const cache = join(sandbox.folder, 'control');
    spawnSync(program, args, { cwd: ROOT, env: { ...sandbox.env, XDG_CACHE_HOME: cache }, timeout: 60_000 });
    expect(existsSync(join(cache, TELEMETRY))).toBe(true);
  });

  it('leaves no telemetry folder, complains of nothing and asks no other host for anything', () => {
    for (const base of [
      join(sandbox.folder, 'cache'),
      join(sandbox.folder, 'home', '.cache'),
      join(sandbox.folder, 'home'),
    ]) {
      expect(existsSync(join(base, TELEMETRY)), base).toBe(false);
    }
    expect([...problems, ...opened.problems]).toEqual([]);
    expect([...foreign, ...opened.foreign]).toEqual([]);
    expect(host.complaints()).toBe('');
  });
});
