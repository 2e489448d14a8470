import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import { openStore } from '../store/open-store.ts';
import type { OpenedStore } from '../store/store.ts';
import { SlideImages } from '../tile/slide-images.ts';
import { SlideLibrary } from './slide-library.ts';

/** More than are kept open. */
const SLIDES = 12;
const THUMBNAIL_PX = 256;
let folder: string;
let store: OpenedStore;
const ids: SlideId[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-library-'));
  store = await openStore({ folder: join(folder, 'store'), onThread: false });
  const library = new SlideLibrary(store);
  for (let seed = 1; seed <= SLIDES; seed++) {
    const outPath = join(folder, `${seed}.tif`);
    const noise = { type: 'gaussian' as const, mean: 100 + 5 * seed, sigma: 30 };
    await sharp({ create: { width: 512, height: 512, channels: 3, noise, background: 'white' } })
      .tiff({ tile: true, tileWidth: 256, tileHeight: 256, compression: 'jpeg' })
      .toFile(outPath);
    ids.push((await library.add(outPath)).id);
  }
  await library.close();
}, 60_000);
afterAll(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

describe('a library of more slides than are kept open', () => {
  it('shows the thumbnails of all at once, as a fresh page asks for them', async () => {
    const library = new SlideLibrary(store);
    const images = new SlideImages();
    const asked = ids.map(async (id) => await images.thumbnail(id, await library.source(id), THUMBNAIL_PX));
    const made = await Promise.allSettled(asked);
    expect(made.map((each) => (each.status === 'rejected' ? String(each.reason) : each.value.mediaType))).toEqual(
      ids.map(() => 'image/jpeg'),
    );
    await library.close();
  });

  it('lets who holds a slide go on reading it after others took its place', async () => {
    const library = new SlideLibrary(store);
    const [first = expect.fail(), ...others] = ids;
    const held = await library.source(first);
    const before = await held.readTile(0, 0, 0);
    for (const id of others) await (await library.source(id)).encodedTile(0, 0, 0);
    expect(await held.readTile(0, 0, 0)).toEqual(before);
    await library.close();
    expect(await held.readTile(0, 0, 0)).toEqual(before);
  });
});
