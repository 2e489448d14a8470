import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { realDataFolder } from '../../testing/real-data.ts';
import { readTasks } from '../read-tasks.ts';
import { readMask, readPoints } from './annotation.ts';
import { findAnnotated } from './find-annotated.ts';
import { type MakeTaskRequest, makeTask } from './make-task.ts';
import { atMostPerClass, centralPixelPatches, densePatches, maskPatches, rarePatches } from './patch-boxes.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-convert-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const IMAGE = { widthPx: 40, heightPx: 30 };

describe('patches from annotations', () => {
  it('dense: a patch is present where a point lies in it', () => {
    const boxes = densePatches(IMAGE, [{ xPx: 12, yPx: 3 }], { sizePx: 10, stridePx: 5 });
    expect(boxes).toHaveLength(7 * 5);
    const present = boxes.filter(({ label }) => label === 'present').map(({ x0Px, y0Px }) => [x0Px, y0Px]);
    expect(present).toEqual([
      [5, 0],
      [10, 0],
    ]);
  });

  it('rare: negatives hold no point, ten shifted patches hold each, all within the image', () => {
    const points = [
      { xPx: 0.5, yPx: 0.5 },
      { xPx: 39.9, yPx: 29.9 },
      { xPx: 100, yPx: 3 },
    ];
    const boxes = rarePatches(IMAGE, points, { sizePx: 10, stridePx: 10, shifts: 10, seed: 3 });
    const of = (wanted: string) => boxes.filter(({ label }) => label === wanted);
    expect([of('present').length, of('absent').length]).toEqual([20, 10]);
    of('present').forEach(({ x0Px, y0Px }, i) => {
      const point = points[Math.floor(i / 10)] ?? { xPx: -1, yPx: -1 };
      expect(x0Px <= point.xPx && point.xPx < x0Px + 10 && y0Px <= point.yPx && point.yPx < y0Px + 10).toBe(true);
      expect(x0Px >= 0 && y0Px >= 0 && x0Px <= 30 && y0Px <= 20).toBe(true);
    });
    const middle = rarePatches(IMAGE, [{ xPx: 20, yPx: 15 }], { sizePx: 10, stridePx: 10, shifts: 10, seed: 3 });
    expect(new Set(middle.slice(-10).map(({ x0Px, y0Px }) => `${x0Px} ${y0Px}`)).size).toBeGreaterThan(5);
  });

  it('mask: positive from the threshold on, exactly', () => {
    const values = new Uint8Array(1200);
    for (let i = 0; i < 10; i++) values[i] = 7;
    const mask = { ...IMAGE, values };
    const label = (threshold: number) => maskPatches(mask, { sizePx: 10, stridePx: 10, threshold })[0]?.label;
    expect([label(0.1), label(0.1001)]).toEqual(['positive', 'negative']);
    expect(() => maskPatches(mask, { sizePx: 31, stridePx: 1, threshold: 0.1 })).toThrow('does not fit');
  });

  it('central pixel: its class, by name where it has one', () => {
    const values = new Uint8Array(1200).fill(2);
    values[5 * 40 + 5] = 3;
    const boxes = centralPixelPatches({ ...IMAGE, values }, { sizePx: 10, stridePx: 10 }, new Map([[3, 'nerve']]));
    expect(boxes.slice(0, 2).map(({ label }) => label)).toEqual(['nerve', '2']);
  });

  it('keeps at most so many of a class, the same for a seed', () => {
    const boxes = densePatches(IMAGE, [{ xPx: 1, yPx: 1 }], { sizePx: 10, stridePx: 2 });
    const kept = atMostPerClass(boxes, 5, 1);
    expect(kept.filter(({ label }) => label === 'absent')).toHaveLength(5);
    expect(atMostPerClass(boxes, 5, 1)).toEqual(kept);
  });

  it('reads points and polygons: the centroid of one, its filled outline, a hole left open', async () => {
    const square = (low: number, high: number) => [
      [low, low],
      [high, low],
      [high, high],
      [low, high],
      [low, low],
    ];
    const polygon = { type: 'Polygon', coordinates: [square(4, 14), square(8, 10)] };
    const features = [polygon, { type: 'Point', coordinates: [3, 4] }].map((geometry) => ({
      type: 'Feature',
      geometry,
    }));
    await writeFile(join(folder, 'a.geojson'), JSON.stringify({ type: 'FeatureCollection', features }));
    await writeFile(join(folder, 'a.csv'), 'x;y;class\n1.5;2;n\n3;4;n\n');
    expect(await readPoints(join(folder, 'a.geojson'))).toEqual([
      { xPx: 9, yPx: 9 },
      { xPx: 3, yPx: 4 },
    ]);
    expect(await readPoints(join(folder, 'a.csv'))).toHaveLength(2);
    const { values } = await readMask(join(folder, 'a.geojson'), IMAGE);
    expect(values.reduce((sum, value) => sum + value, 0)).toBe(96);
    await writeFile(join(folder, 'bad.csv'), 'x,y\n1,here\n');
    await expect(readPoints(join(folder, 'bad.csv'))).rejects.toThrow('Line 2 holds no place');
    await writeFile(join(folder, 'bad.json'), '{"features": 3}');
    await expect(readPoints(join(folder, 'bad.json'))).rejects.toThrow('no GeoJSON');
  });
});

/** Six images of two patients, the left half of each annotated, its lower third glass. */
async function annotated(): Promise<void> {
  const lines = ['file\tannotation\tpatient'];
  await mkdir(join(folder, 'masks'));
  for (let n = 0; n < 6; n++) {
    const pixels = Uint8Array.from({ length: 3600 }, (_, at) => (at < 2400 ? (at * 7 + n) % 120 : 250));
    const mask = Uint8Array.from({ length: 1200 }, (_, at) => (at % 40 < 20 ? 1 : 0));
    await sharp(pixels, { raw: { width: 40, height: 30, channels: 3 } })
      .png()
      .toFile(join(folder, `i${n}.png`));
    await sharp(mask, { raw: { width: 40, height: 30, channels: 1 } })
      .png()
      .toFile(join(folder, 'masks', `i${n}_m.png`));
    lines.push(`i${n}.png\tmasks/i${n}_m.png\tp${n % 3}`);
  }
  await writeFile(join(folder, 'index.tsv'), `${lines.join('\n')}\n`);
}

const request = (over: Partial<MakeTaskRequest> = {}): Omit<MakeTaskRequest, 'images'> => ({
  ...{
    conversion: { kind: 'mask', sizePx: 10, stridePx: 10, threshold: 0.5 },
    mostBackground: 0.5,
    mostPerClass: 1000,
  },
  ...{ seed: 1, split: null, folder: join(folder, 'task'), ...over },
});

describe('a task made of annotated images', () => {
  it('is one that can be compared on: classes, groups, no background', async () => {
    await annotated();
    const { images } = await findAnnotated(folder, null);
    const made = await makeTask({ ...request(), images });
    expect(made).toMatchObject({ patches: 48, classes: { negative: 24, positive: 24 }, groups: 3, background: 24 });
    const { tasks } = await readTasks([made.folder], {});
    expect(tasks[0]).toMatchObject({ name: 'task', grouped: true, heldOut: false });
    expect(new Set(tasks[0]?.images.map(({ group }) => group))).toEqual(new Set(['p0', 'p1', 'p2']));
  });

  it('splits groups, all classes in all parts', async () => {
    await annotated();
    const { images } = await findAnnotated(folder, null);
    await makeTask({ ...request({ split: { train: 0.4, validation: 0.3, test: 0.3 } }), images });
    const lines = (await readFile(join(folder, 'task', 'index.tsv'), 'utf8')).trim().split('\n').slice(1);
    const parts = new Map<string, Set<string>>();
    for (const line of lines) {
      const [, part = '', label = '', group = ''] = line.split('\t');
      parts.set(part, (parts.get(part) ?? new Set()).add(`${group} ${label}`));
    }
    expect([...parts.keys()].sort()).toEqual(['test', 'train', 'val']);
    expect([...parts.values()].map((of) => of.size)).toEqual([2, 2, 2]);
  });

  it('names images that cannot be used, and refuses a task of one class', async () => {
    await annotated();
    await writeFile(join(folder, 'i0.png'), 'no image');
    await sharp({ create: { width: 4, height: 4, channels: 3, background: '#fff' } })
      .png()
      .toFile(join(folder, 'masks', 'i1_m.png'));
    const { images } = await findAnnotated(folder, join(folder, 'masks'));
    const { leftOut } = await makeTask({ ...request(), images });
    expect(leftOut.map(({ image }) => image)).toEqual(['i0.png', 'i1.png']);
    expect(leftOut[1]?.reason).toContain('does not have the size of its image: 4 x 4 px');
    const strict = request({ conversion: { kind: 'mask', sizePx: 10, stridePx: 10, threshold: 0 } });
    await expect(makeTask({ ...strict, images })).rejects.toThrow('All patches are positive');
    await expect(findAnnotated(join(folder, 'masks'), null)).rejects.toThrow('has an annotation');
  });

  const data = realDataFolder();
  it.skipIf(data === null)('converts GlaS masks and MoNuSeg nuclei', async () => {
    const glas = join(data ?? '', 'patches', 'gland-glas');
    const found = await findAnnotated(glas, join(glas, 'masks'));
    expect(found.images).toHaveLength(145);
    const own = found.images.find(({ path }) => path.endsWith('testA_1.jpg'));
    expect(own?.annotation.endsWith('testA_1_instances.png')).toBe(true);
    expect(own?.group).toBe('patient4');
    const conversion = { kind: 'mask', sizePx: 200, stridePx: 100, threshold: 0.1 } as const;
    const made = await makeTask({ ...request({ conversion }), images: found.images.slice(0, 4) });
    expect(made.classes.positive).toBeGreaterThan(30);

    const nuclei = join(data ?? '', 'patches', 'nuclei-monuseg');
    const fields = await findAnnotated(nuclei, null);
    expect(fields.images).toHaveLength(3);
    const points = await readPoints(fields.images[0]?.annotation ?? '');
    expect(points).toHaveLength(398);
    const dense = { kind: 'dense', sizePx: 64, stridePx: 250 } as const;
    const task = await makeTask({
      ...request({ conversion: dense, folder: join(folder, 'nuclei') }),
      images: fields.images,
    });
    expect(task.classes.present ?? 0).toBeGreaterThan(task.classes.absent ?? 0);
  });
});
