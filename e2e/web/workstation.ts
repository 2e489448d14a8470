import { basename, dirname } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { expect } from 'vitest';

const JOB_TIMEOUT_MS = 240_000;

/** The workstation as a user handles it: every step goes through what is seen on the screen. */
export class Workstation {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  get stage(): Locator {
    return this.page.locator('.stage');
  }

  /** Opens a slide file through the Open dialog and waits for the viewer. */
  async openSlide(path: string): Promise<void> {
    await this.chooseFile('Open slide…', path);
    await this.waitForSlide();
  }

  /** Walks the Open dialog to a file and chooses it. */
  async chooseFile(button: string, path: string): Promise<void> {
    const { page } = this;
    await page.getByRole('button', { name: button }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('ul[aria-busy="false"]').waitFor();
    await dialog.getByLabel('Folder', { exact: true }).fill(dirname(path));
    await dialog.getByRole('button', { name: 'Go', exact: true }).click();
    const entry = dialog.getByRole('button', { name: basename(path) });
    const all = dialog.getByLabel(/Show all files/);
    if (!(await appears(entry, 2000))) {
      await all.check();
    }
    await entry.click();
  }

  async waitForSlide(timeoutMs = 60_000): Promise<void> {
    await this.stage.waitFor({ timeout: timeoutMs });
    await this.page.waitForFunction(() => {
      const stage = document.querySelector<HTMLElement>('.stage');
      return Number(stage?.dataset.zoom ?? 0) > 0;
    });
  }

  async goTo(destination: 'Library' | 'Viewer' | 'Backbones' | 'Settings'): Promise<void> {
    await this.page.getByRole('navigation').getByText(destination, { exact: true }).click();
  }

  async tab(name: 'Analyse' | 'Maps' | 'Slide'): Promise<void> {
    await this.page.getByRole('tab', { name, exact: true }).click();
  }

  /** Chooses a backbone by name on the Analyse tab and starts. */
  async startAnalysis(backbone: string): Promise<void> {
    await this.tab('Analyse');
    await this.page.getByLabel('Network', { exact: true }).selectOption({ label: backbone });
    await this.page.getByRole('button', { name: 'Start analysis' }).click();
  }

  /** Waits until the map of a finished analysis is drawn. */
  async waitForMap(timeoutMs = JOB_TIMEOUT_MS): Promise<void> {
    await this.page.getByLabel('Legend').waitFor({ timeout: timeoutMs });
  }

  /** Clicks a place of the slide given as parts of the stage, 0..1. */
  async clickStage(x: number, y: number): Promise<void> {
    const box = await this.stage.boundingBox();
    if (box === null) {
      throw new Error('the stage is not on the screen');
    }
    await this.page.mouse.click(box.x + x * box.width, box.y + y * box.height);
  }

  /** Brings a place (level-0 pixels) to the middle at one slide pixel on one screen pixel. */
  async showOneToOne(x0Px: number, y0Px: number): Promise<void> {
    const { page } = this;
    await page.getByRole('button', { name: '1:1', exact: true }).click();
    await this.settled();
    await page.getByRole('button', { name: 'Go to a position' }).click();
    await page.getByLabel('X, px').fill(String(x0Px));
    await page.getByLabel('Y, px').fill(String(y0Px));
    await page.getByRole('button', { name: 'Go', exact: true }).click();
    await this.settled();
  }

  /** Waits until the stage stands still and no further tile appears. */
  async settled(): Promise<void> {
    const view = async (): Promise<string> => (await this.stage.screenshot()).toString('base64');
    let before = '';
    await expect
      .poll(
        async () => {
          const now = await view();
          const still = now === before;
          before = now;
          return still;
        },
        { timeout: 60_000, interval: 700 },
      )
      .toBe(true);
  }

  /** RGB as the screen shows it of a square of the slide (level-0 pixels), at 1:1 and upright. */
  async pixelsAt(x0Px: number, y0Px: number, sidePx: number): Promise<Uint8Array> {
    const box = await this.stage.boundingBox();
    const [centreX = 0, centreY = 0] = ((await this.stage.getAttribute('data-centre')) ?? '').split(',').map(Number);
    if (box === null) {
      throw new Error('the stage is not on the screen');
    }
    const clip = {
      x: box.x + box.width / 2 + x0Px - centreX,
      y: box.y + box.height / 2 + y0Px - centreY,
      width: sidePx,
      height: sidePx,
    };
    expect(clip.x % 1, 'slide pixels lie on screen pixels').toBe(0);
    expect(clip.y % 1, 'slide pixels lie on screen pixels').toBe(0);
    const png = await this.page.screenshot({ clip });
    return sharp(png).removeAlpha().raw().toBuffer();
  }

  /** A sentence the application shows, as a toast or in place. */
  async expectSentence(text: string | RegExp): Promise<void> {
    await expect.poll(() => this.page.getByText(text).count(), { timeout: 20_000 }).toBeGreaterThan(0);
  }
}

async function appears(locator: Locator, timeoutMs: number): Promise<boolean> {
  try {
    await locator.waitFor({ timeout: timeoutMs });
    return true;
  } catch {
    return false;
  }
}
