import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSynthetic } from '../../src-main/engine/slide/synthetic/write-synthetic.ts';
import { realSlide } from '../../src-main/engine/testing/real-data.ts';
import { type RunningShell, runShell } from '../../src-main/shell/testing/run-shell.ts';
import { SHELL_CALLS } from '../../src-shared/api/shell.ts';
import { callChannel } from '../../src-shared/api/shell-channels.ts';
import { launchBrowser, makeSandbox, newPage, type Sandbox, type WatchedPage } from '../web/harness.ts';
import { Workstation } from '../web/workstation.ts';
import { builtApplication } from './application.ts';
import { until } from './page-double.ts';
import { attachRenderer, PAGE_ORIGIN, preloadScript, type RendererDouble } from './renderer-double.ts';

/**
 * The real page and the built preload in Chromium, the real shell under the double, the built engine behind it: the
 * main job as the desktop application does it, with native dialogs that answer as told.
 */
let sandbox: Sandbox;
let application: Awaited<ReturnType<typeof builtApplication>>;
let running: RunningShell;
let browser: Browser;
let opened: WatchedPage;
let renderer: RendererDouble;
let workstation: Workstation;
let slidePath: string;

beforeAll(async () => {
  application = await builtApplication();
  sandbox = await makeSandbox();
  const env = Object.fromEntries(Object.entries(sandbox.env).filter(([, value]) => value !== undefined));
  running = await runShell({ appFolder: application.folder, env: { ...(env as Record<string, string>) } });
  const synthetic = join(running.folder, 'synthetic.tif');
  await writeSynthetic({ outPath: synthetic, widthPx: 3072, heightPx: 3072, seed: 11, lesions: 0 });
  slidePath = realSlide('aperio/CMU-1-Small-Region.svs') ?? synthetic;
  browser = await launchBrowser(sandbox);
  opened = await newPage(browser, PAGE_ORIGIN);
  renderer = await attachRenderer(opened.context, opened.page, running);
  workstation = new Workstation(opened.page);
});

afterAll(async () => {
  await browser?.close();
  await running?.close();
  await sandbox?.dispose();
  application?.dispose();
});

describe('the preload', () => {
  it('gives the page the shell and nothing else of Electron or Node', async () => {
    await opened.page.goto(`${PAGE_ORIGIN}/index.html`);
    await workstation.expectSentence('No slide yet');
    const names = await opened.page.evaluate(() =>
      Object.keys((window as { hyaline?: object }).hyaline ?? {}).toSorted(),
    );
    const events = ['onEngineStatus', 'onMenuCommand', 'onOpenFailed', 'onOpenFiles'];
    expect(names).toEqual([...SHELL_CALLS, ...events, 'grantForFile', 'platform'].toSorted());
    const leaks = await opened.page.evaluate(() =>
      ['require', 'process', 'module', 'exports', 'Buffer', 'global', 'electron'].filter((name) => name in window),
    );
    expect(leaks).toEqual([]);
  });

  it('gives a page of another origin nothing, nor a frame', async () => {
    const context = await browser.newContext();
    await context.addInitScript({ content: preloadScript() });
    const body = '<!doctype html><iframe src="https://hyaline.test/inner.html"></iframe>';
    await context.route('**/*', (route) =>
      route.fulfill({ contentType: 'text/html', body: route.request().url().includes('inner') ? '<p>' : body }),
    );
    const page = await context.newPage();
    const has = (target: Pick<Page, 'evaluate'>): Promise<boolean> => target.evaluate(() => 'hyaline' in window);
    await page.goto('https://elsewhere.test/');
    expect(await has(page)).toBe(false);
    await page.goto(`${PAGE_ORIGIN}/`);
    expect(await has(page)).toBe(true);
    const frame = page.frames()[1];
    if (frame === undefined) throw new Error('no frame');
    await frame.waitForLoadState();
    expect(await frame.evaluate(() => 'hyaline' in window)).toBe(false);
    await context.close();
  });

  it('is refused by the shell when a frame calls all the same', async () => {
    const top = running.window().contents.frame;
    const sender = {
      id: running.window().contents.id,
      frame: { ...top, url: top.url, origin: top.origin, parent: top },
    };
    expect(await running.double.invokeFrom(sender, callChannel('recentFiles'))).toMatchObject({ ok: false });
  });
});

describe('the content security policy', () => {
  it('stops inline scripts, eval, foreign connections, pictures and frames', async () => {
    const { page } = opened;
    const seen = opened.problems.length;
    const ran = await page.evaluate(async () => {
      const blocked: string[] = [];
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) =>
        blocked.push(effectiveDirective),
      );
      const script = document.createElement('script');
      script.textContent = 'window.injected = true';
      document.head.append(script);
      const frame = document.createElement('iframe');
      frame.src = 'https://example.org/';
      const image = new Image();
      image.src = 'https://example.org/x.png';
      document.body.append(frame, image);
      await fetch('https://example.org/').catch(() => undefined);
      const style = document.createElement('style');
      style.textContent = 'body { background: red }';
      document.head.append(style);
      await new Promise((resolve) => setTimeout(resolve, 300));
      frame.remove();
      image.remove();
      return { injected: 'injected' in window, blocked: [...new Set(blocked)].toSorted() };
    });
    expect(ran).toEqual({
      injected: false,
      blocked: ['connect-src', 'frame-src', 'img-src', 'script-src-elem', 'style-src-elem'],
    });
    expect(renderer.foreign).toEqual([]);
    // What the policy stopped is complained of, and counted as asked for, though nothing left the page.
    opened.problems.splice(seen);
    opened.foreign.splice(0);
  });
});

describe('the main job in the desktop application', () => {
  it('opens a slide through the native dialog', async () => {
    running.double.answers.open = [slidePath];
    await opened.page.getByRole('button', { name: 'Open slide…' }).first().click();
    await workstation.waitForSlide();
    await workstation.settled();
    await opened.shot('desktop-1-viewer');
  });

  it('runs a backbone, shows its progress in the taskbar, and draws the map', async () => {
    await workstation.startAnalysis('random-resnet18');
    await until('progress in the taskbar', () => (running.window().progress.at(-1) ?? -1) >= 0, 120_000);
    await workstation.waitForMap();
    await until('an end of it', () => running.window().progress.at(-1) === -1);
    const power = running.double.calls.map(({ name }) => name).filter((name) => name.startsWith('powerSave'));
    expect(power).toEqual(['powerSaveBlocker.start', 'powerSaveBlocker.stop']);
    await opened.shot('desktop-2-map');
  });

  it('finds tiles like the one that is clicked', async () => {
    await opened.page.getByRole('tab', { name: 'More like this' }).click();
    await workstation.clickStage(0.5, 0.5);
    const gallery = opened.page.getByRole('list', { name: 'Most alike tiles, best first' });
    await gallery.waitFor();
    expect(await gallery.getByRole('listitem').count()).toBeGreaterThan(3);
  });

  it('saves the report where the native dialog says', async () => {
    const target = join(running.folder, 'case.pdf');
    running.double.answers.save = target;
    await opened.page.getByRole('button', { name: /Report \(PDF\)/ }).click();
    const dialog = opened.page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Export PDF' }).click();
    await until('the file', () => {
      try {
        return readFileSync(target).subarray(-8).toString().includes('%%EOF');
      } catch {
        return false;
      }
    });
    expect(readFileSync(target).subarray(0, 5).toString()).toBe('%PDF-');
    await dialog.getByRole('button', { name: 'Close' }).first().click();
  });

  it('opens a file that a second instance hands over', async () => {
    const path = join(running.folder, 'synthetic.tif');
    running.double.app.emit('second-instance', {}, ['hyaline', path], '/', null);
    await until('the other slide', async () => (await opened.page.getByText('synthetic.tif').count()) > 0);
    await workstation.waitForSlide();
  });

  it('opens a dropped file by its place on the disk, and refuses one that has none', async () => {
    const path = join(running.folder, 'dropped.tif');
    copyFileSync(join(running.folder, 'synthetic.tif'), path);
    await renderer.givePath('dropped.tif', path);
    const drop = (name: string): Promise<void> =>
      opened.page.evaluate((fileName) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(['made by script'], fileName));
        const init = { dataTransfer, bubbles: true, cancelable: true };
        for (const type of ['dragenter', 'dragover', 'drop']) document.body.dispatchEvent(new DragEvent(type, init));
      }, name);
    await drop('dropped.tif');
    const recent = async (): Promise<string | undefined> =>
      ((await running.call('recentFiles')) as { value: { fileName: string }[] }).value[0]?.fileName;
    await until('the grant', async () => (await recent()) === 'dropped.tif');
    await drop('elsewhere.tif');
    await workstation.expectSentence('What was dropped is not a file on this machine.');
  });

  it('follows its menu', async () => {
    const go = running.double.menu().find(({ label }) => label === 'Go')
      ?.submenu as Electron.MenuItemConstructorOptions[];
    const library = go.find(({ label }) => label === 'Library');
    expect(library?.enabled).toBe(true);
    library?.click?.(null as never, undefined, null as never);
    await opened.page.getByRole('list', { name: 'Slides' }).waitFor();
    const recent = (await running.call('recentFiles')) as { value: { fileName: string }[] };
    expect(recent.value.map(({ fileName }) => fileName)).toContain('synthetic.tif');
  });

  it('goes on after the engine was killed, without being loaded again', async () => {
    const generation = running.shell?.supervisor.status.generation ?? 0;
    process.kill(running.shell?.supervisor.pid ?? 0, 'SIGKILL');
    await until(
      'the next engine',
      () =>
        running.shell?.supervisor.status.state === 'ready' && running.shell.supervisor.status.generation > generation,
    );
    const slides = opened.page.getByRole('list', { name: 'Slides' });
    await until('a page that works', async () => {
      await slides
        .getByRole('button', { name: /^Open / })
        .first()
        .click({ timeout: 2000 })
        .catch(() => undefined);
      return (await workstation.stage.count()) > 0;
    });
    await workstation.waitForSlide();
    await opened.shot('desktop-3-after-crash');
  });

  it('has left no telemetry folder', () => {
    for (const base of ['cache', join('home', '.cache'), 'home']) {
      const folder = join(sandbox.folder, base, 'Microsoft', 'DeveloperTools', '.onnxruntime');
      expect(existsSync(folder), folder).toBe(false);
    }
  });

  it('has asked nobody else for anything', () => {
    expect(renderer.foreign).toEqual([]);
    expect(opened.foreign).toEqual([]);
    // Between the kill and the next start, tiles are answered with 503: the console says so.
    expect(opened.problems.filter((problem) => !problem.includes('503'))).toEqual([]);
  });
});
