import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { _electron, type ElectronApplication, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSynthetic } from '../../src-main/engine/slide/synthetic/write-synthetic.ts';
import { realSlide } from '../../src-main/engine/testing/real-data.ts';
import { buildChanged } from '../../src-main/host/build.ts';
import { electronExecutable } from '../../src-main/host/installation.ts';
import { CONTENT_SECURITY_POLICY } from '../../src-shared/api/content-security-policy.ts';
import { Workstation } from '../web/workstation.ts';
import { until } from './page-double.ts';

/**
 * The main job in the real application. Needs Electron's runtime (`npm run setup:electron`) and, on Linux, a display;
 * where one is missing every test is skipped with the reason in its name.
 */
const ROOT = join(import.meta.dirname, '..', '..');

function missing(): string | null {
  if (electronExecutable() === null) return 'Electron’s runtime is not installed; run npm run setup:electron';
  const hasDisplay = process.env.DISPLAY !== undefined || process.env.WAYLAND_DISPLAY !== undefined;
  if (process.platform === 'linux' && !hasDisplay) return 'there is no display; run under xvfb-run';
  return null;
}

const reason = missing();
const title = `the real application${reason === null ? '' : ` (skipped: ${reason})`}`;

/** The pid of the engine: Electron names its process. */
const enginePid = (application: ElectronApplication): Promise<number | undefined> =>
  application.evaluate(({ app }) => app.getAppMetrics().find(({ name }) => name === 'Hyaline engine')?.pid);

describe.skipIf(reason !== null)(title, () => {
  let folder: string;
  let application: ElectronApplication;
  let page: Page;
  let workstation: Workstation;
  let slide: string;

  const launch = async (...args: readonly string[]): Promise<void> => {
    const { ELECTRON_RUN_AS_NODE: _unused, ...env } = process.env as Record<string, string>;
    const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    application = await _electron.launch({
      executablePath: electronExecutable() ?? '',
      args: [...asRoot, `--user-data-dir=${join(folder, 'user')}`, ROOT, ...args],
      env: { ...env, HYALINE_STORE: join(folder, 'store') },
    });
    page = await application.firstWindow();
    workstation = new Workstation(page);
  };

  beforeAll(async () => {
    await buildChanged(() => undefined);
    folder = mkdtempSync(join(tmpdir(), 'hyaline-electron-'));
    const synthetic = join(folder, 'synthetic.tif');
    await writeSynthetic({ outPath: synthetic, widthPx: 3072, heightPx: 3072, seed: 11, lesions: 0 });
    slide = realSlide('aperio/CMU-1-Small-Region.svs') ?? synthetic;
    await launch();
  });
  afterAll(async () => {
    await application?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('shows its page from app://hyaline/ in a sandboxed, isolated window', async () => {
    await workstation.expectSentence('No slide yet');
    expect(page.url()).toMatch(/^app:\/\/hyaline\/index\.html/);
    const leaks = await page.evaluate(() =>
      ['require', 'process', 'Buffer', 'module'].filter((name) => name in window),
    );
    expect(leaks).toEqual([]);
    const preferences = await application.evaluate(({ BrowserWindow }) => {
      // Not among Electron's declarations, though it is there: the settings in force.
      interface WithPreferences {
        getLastWebPreferences(): Record<string, unknown>;
      }
      return BrowserWindow.getAllWindows().map(({ webContents }) =>
        (webContents as unknown as WithPreferences).getLastWebPreferences(),
      )[0];
    });
    expect(preferences).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webSecurity: true,
    });
  });

  it('sends the content security policy with every answer, and refuses what is not its own', async () => {
    const answers = await page.evaluate(async () => {
      const own = await fetch('app://hyaline/index.html');
      const refused = async (url: string, init?: RequestInit): Promise<number | string> =>
        fetch(url, init).then(
          ({ status }) => status,
          () => 'failed',
        );
      return {
        policy: own.headers.get('content-security-policy'),
        traversal: await refused('app://hyaline/..%2f..%2fpackage.json'),
        method: await refused('app://hyaline/index.html', { method: 'POST' }),
        foreign: await refused('app://elsewhere/index.html'),
        network: await refused('https://example.org/'),
      };
    });
    expect(answers).toEqual({
      policy: CONTENT_SECURITY_POLICY,
      traversal: 400,
      method: 405,
      foreign: 'failed',
      network: 'failed',
    });
  });

  it('opens no window and goes to no other page', async () => {
    const opened = await page.evaluate(() => window.open('https://example.org/') === null);
    expect(opened).toBe(true);
    await page.evaluate(() => {
      location.href = 'https://example.org/';
    });
    await page.waitForTimeout(500);
    expect(page.url()).toMatch(/^app:\/\/hyaline\//);
    expect(application.windows()).toHaveLength(1);
  });

  it('opens a slide through the native dialog', async () => {
    await application.evaluate(({ dialog }, path) => {
      dialog.showOpenDialog = (async () => ({ canceled: false, filePaths: [path] })) as typeof dialog.showOpenDialog;
    }, slide);
    await page.getByRole('button', { name: 'Open slide…' }).first().click();
    await workstation.waitForSlide();
    await workstation.settled();
  });

  it('goes on with an analysis although the engine is killed in the middle of it', async () => {
    await workstation.startAnalysis('random-resnet18');
    await page.getByRole('progressbar', { name: 'Analysis' }).waitFor();
    const before = await enginePid(application);
    process.kill(before ?? 0, 'SIGKILL');
    await until('another engine', async () => ![undefined, before].includes(await enginePid(application)));
    await workstation.waitForMap();
  });

  it('finds tiles like the one that is clicked', async () => {
    await page.getByRole('tab', { name: 'More like this' }).click();
    await workstation.clickStage(0.5, 0.5);
    const gallery = page.getByRole('list', { name: 'Most alike tiles, best first' });
    await gallery.waitFor();
    expect(await gallery.getByRole('listitem').count()).toBeGreaterThan(3);
  });

  it('saves the report where the native dialog says', async () => {
    const target = join(folder, 'case.pdf');
    await application.evaluate(({ dialog }, path) => {
      dialog.showSaveDialog = (async () => ({ canceled: false, filePath: path })) as typeof dialog.showSaveDialog;
    }, target);
    await page.getByRole('button', { name: /Report \(PDF\)/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Export PDF' }).click();
    await until('the file', () => {
      try {
        return readFileSync(target).subarray(-8).toString().includes('%%EOF');
      } catch {
        return false;
      }
    });
  });

  it('shows the map at once after a restart with the slide as its argument', async () => {
    await application.close();
    await launch(slide);
    await workstation.waitForSlide();
    await workstation.tab('Maps');
    await workstation.waitForMap();
    expect(await page.getByRole('progressbar', { name: 'Analysis' }).count()).toBe(0);
  });
});
