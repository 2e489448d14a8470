import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { iccLut } from '../../src-main/engine/colour/icc-lut.ts';
import { openSlideSource } from '../../src-main/engine/slide/open-slide.ts';
import { applyColourLut } from '../../src-shared/numeric/colour-lut.ts';
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

const SIDE_PX = 768;
const CROP = { x0Px: 300, y0Px: 280, sidePx: 128 };

/** A tiled TIFF of soft, strong colours that says its pixels are Display P3. */
async function writeProfiledSlide(path: string): Promise<Uint8Array> {
  const rgb = new Uint8Array(SIDE_PX * SIDE_PX * 3);
  for (let y = 0; y < SIDE_PX; y++) {
    for (let x = 0; x < SIDE_PX; x++) {
      rgb.set(
        [128 + 120 * Math.sin(x / 60), 128 + 120 * Math.sin(y / 45), 128 + 120 * Math.cos((x + y) / 80)],
        3 * (y * SIDE_PX + x),
      );
    }
  }
  const image = sharp(rgb, { raw: { width: SIDE_PX, height: SIDE_PX, channels: 3 } }).withIccProfile('p3');
  await image
    .tiff({ compression: 'jpeg', quality: 95, tile: true, tileWidth: 256, tileHeight: 256, xres: 2000, yres: 2000 })
    .toFile(path);
  return (await sharp(path).metadata()).icc ?? new Uint8Array(0);
}

describe("a slide's colour profile", () => {
  let sandbox: Sandbox;
  let host: Host;
  let browser: Browser;
  let opened: WatchedPage;
  let slidePath: string;
  let profile: Uint8Array;
  let shown: Uint8Array = new Uint8Array(0);
  const asked: string[] = [];

  beforeAll(async () => {
    sandbox = await makeSandbox();
    slidePath = join(sandbox.folder, 'profiled.tif');
    profile = await writeProfiledSlide(slidePath);
    host = await startHost(sandbox);
    browser = await launchBrowser(sandbox);
    opened = await newPage(browser, host.origin);
    opened.page.on('request', (request) => void asked.push(new URL(request.url()).pathname));
    await opened.page.goto(host.openingUrl);
  });

  afterAll(async () => {
    await browser?.close();
    await host?.stop();
    await sandbox?.dispose();
  });

  const crop = async (): Promise<Uint8Array> => {
    const workstation = new Workstation(opened.page);
    await workstation.showOneToOne(CROP.x0Px + CROP.sidePx / 2, CROP.y0Px + CROP.sidePx / 2);
    await workstation.settled();
    return await workstation.pixelsAt(CROP.x0Px, CROP.y0Px, CROP.sidePx);
  };
  const throughProfile = (): ReturnType<WatchedPage['page']['getByLabel']> =>
    opened.page.getByLabel('Show through the file’s colour profile');

  it('is applied to the passed-through tiles on the graphics processor, and only when asked for', async () => {
    const workstation = new Workstation(opened.page);
    await workstation.openSlide(slidePath);
    await workstation.settled();
    expect(asked.some((path) => path.includes('colour-lut'))).toBe(false);
    await workstation.tab('Slide');
    await throughProfile().check();
    await opened.page.getByText('Colour profile applied', { exact: true }).waitFor();
    const stored = await storedCrop(slidePath);
    const expected = Uint8Array.from(stored);
    applyColourLut(expected, 3, await iccLut(profile));
    shown = await crop();
    expect(largestDifference(stored, expected)).toBeGreaterThan(20);
    expect(largestDifference(shown, expected)).toBeLessThanOrEqual(2);
    expect(asked.some((path) => path.includes('corrected-tile'))).toBe(false);
  });

  it('is applied by the engine where there is no WebGL, and the status bar says so', async () => {
    await opened.page.addInitScript(() => {
      const { getContext } = HTMLCanvasElement.prototype;
      HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, kind: string, ...rest: unknown[]) {
        return kind.startsWith('webgl') ? null : Reflect.apply(getContext, this, [kind, ...rest]);
      } as typeof getContext;
    });
    await opened.page.reload();
    const workstation = new Workstation(opened.page);
    await workstation.waitForSlide();
    await opened.page.getByText('Colour profile applied: tiles re-encoded').waitFor();
    // JPEG once more on the way.
    expect(meanDifference(await crop(), shown)).toBeLessThan(2);
    expect(asked.some((path) => path.includes('corrected-tile'))).toBe(true);
    expect(opened.problems).toEqual([]);
  });
});

async function storedCrop(path: string): Promise<Uint8Array> {
  const source = await openSlideSource(path);
  try {
    const { x0Px, y0Px, sidePx } = CROP;
    const sizes = { widthLevel0Px: sidePx, heightLevel0Px: sidePx, outWidthPx: sidePx, outHeightPx: sidePx };
    return (await source.readRegion({ x0Px, y0Px, ...sizes })).data;
  } finally {
    await source.close();
  }
}

function largestDifference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (b[i] ?? 0))), 0);
}

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0) / a.length;
}
