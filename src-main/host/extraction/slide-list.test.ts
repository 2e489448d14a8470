import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseTargets } from './choose-targets.ts';
import { listSlides, parseShard, shardOf } from './slide-list.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hyaline-list-'));
  for (const name of ['b.svs', 'a.tif', 'notes.txt']) writeFileSync(join(folder, name), '');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('an archive', () => {
  it('is the slides of a folder by name', async () => {
    const slides = await listSlides(folder);
    expect(slides.map(({ path }) => path)).toEqual([join(folder, 'a.tif'), join(folder, 'b.svs')]);
  });

  it('is a list with pixel sizes and labels, of names with or without extension; missing ones stay in it', async () => {
    writeFileSync(join(folder, 'list.csv'), 'wsi,mpp,stage\nb.svs,0.25,I\na,,II\ngone.svs,,III\n');
    const slides = await listSlides(join(folder, 'list.csv'));
    expect(slides.map(({ path, mppUm, labels }) => [path, mppUm, labels.stage])).toEqual([
      [join(folder, 'b.svs'), 0.25, 'I'],
      [join(folder, 'a.tif'), null, 'II'],
      [join(folder, 'gone.svs'), null, 'III'],
    ]);
  });

  it.each(['nowhere', 'empty.csv'])('is refused with a sentence where there is none: %s', async (name) => {
    writeFileSync(join(folder, 'empty.csv'), 'wsi\n');
    await expect(listSlides(join(folder, name))).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('is cut into shards that hold every slide once', () => {
    const items = Array.from({ length: 11 }, (_, i) => i);
    const shards = [1, 2, 3, 4].map((index) => shardOf(items, { index, count: 4 }));
    expect(shards.flat().sort((a, b) => a - b)).toEqual(items);
    expect(parseShard('2/4')).toEqual({ index: 2, count: 4 });
    for (const wrong of ['0/4', '5/4', '4', 'a/b', '1/0']) expect(parseShard(wrong)).toBeNull();
  });
});

describe('backbones on the command line', () => {
  it('are names or files, each perhaps with a cut', () => {
    expect(parseTargets('a, b@layer3,/x/y@z/net.onnx@f')).toEqual([
      { backbone: 'a', cut: null },
      { backbone: 'b', cut: 'layer3' },
      { backbone: '/x/y@z/net.onnx', cut: 'f' },
    ]);
  });
});
