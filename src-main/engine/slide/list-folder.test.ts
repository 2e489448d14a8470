import { copyFileSync, linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { type FolderSlide, listSlideFolder } from './list-folder.ts';
import { jpegPyramid, scratchFolder } from './test-files.ts';

const scratch = scratchFolder();
afterAll(() => scratch.remove());

async function list(folder: string): Promise<readonly FolderSlide[]> {
  const found: FolderSlide[] = [];
  for await (const slide of listSlideFolder(folder)) found.push(slide);
  return found;
}

describe('listing a folder', () => {
  it('names its slides in order, groups a DICOM series, gives the reason for what does not open', async () => {
    mkdirSync(join(scratch.path, 'mixed'));
    const bytes = await jpegPyramid();
    scratch.write('mixed/case 10.tif', bytes);
    scratch.write('mixed/case 9.svs', bytes);
    scratch.write('mixed/broken.svs', 'no slide at all, only text');
    scratch.write('mixed/notes.txt', 'left out');
    for (const name of ['concatenation_0.dcm', 'concatenation_1.dcm', 'rle.dcm']) {
      const from = fileURLToPath(new URL(`./dicom/fixtures/${name}`, import.meta.url));
      // Archives name instances by number, without an ending.
      copyFileSync(from, join(scratch.path, 'mixed', name.replace('.dcm', '')));
    }
    const found = await list(join(scratch.path, 'mixed'));
    expect(found.map(({ name, files, error }) => [name, files, error?.code ?? null])).toEqual([
      ['broken.svs', 1, 'NotASlide'],
      ['case 9.svs', 1, null],
      ['case 10.tif', 1, null],
      ['concatenation_0', 2, null],
      ['rle', 1, null],
    ]);
    expect(found[3]?.info).toMatchObject({ vendor: 'dicom', widthPx: 40, heightPx: 24 });
  });

  it('goes into subfolders and through links, into each folder once', async () => {
    mkdirSync(join(scratch.path, 'tree', 'case 2', 'deeper'), { recursive: true });
    mkdirSync(join(scratch.path, 'tree', '.hidden'));
    const bytes = await jpegPyramid();
    for (const name of ['top.svs', 'case 2/a.svs', 'case 2/deeper/b.svs', '.hidden/c.svs']) {
      scratch.write(`tree/${name}`, bytes);
    }
    symlinkSync(join(scratch.path, 'tree', 'top.svs'), join(scratch.path, 'tree', 'case 2', 'linked.svs'));
    symlinkSync(join(scratch.path, 'tree'), join(scratch.path, 'tree', 'case 2', 'round'));
    const found = await list(join(scratch.path, 'tree'));
    expect(found.map(({ subfolder, name, error }) => [subfolder, name, error])).toEqual([
      ['', 'top.svs', null],
      ['case 2', 'a.svs', null],
      ['case 2', 'linked.svs', null],
      ['case 2/deeper', 'b.svs', null],
    ]);
  });

  it('shows the first of a thousand slides at once and can be stopped', async () => {
    mkdirSync(join(scratch.path, 'many'));
    const original = scratch.write('original.tif', await jpegPyramid());
    for (let index = 0; index < 1000; index++) linkSync(original, join(scratch.path, 'many', `s${index}.tif`));
    const stop = new AbortController();
    const started = performance.now();
    let longestMs = 0;
    let before = started;
    let count = 0;
    for await (const slide of listSlideFolder(join(scratch.path, 'many'), stop.signal)) {
      longestMs = Math.max(longestMs, performance.now() - before);
      before = performance.now();
      if (count === 0) expect(slide.name).toBe('s0.tif');
      count++;
    }
    expect(count).toBe(1000);
    expect(longestMs).toBeLessThan(1000);
    stop.abort();
    const cancelled = listSlideFolder(join(scratch.path, 'many'), stop.signal).next();
    await expect(cancelled).rejects.toMatchObject({ code: 'Cancelled' });
  });

  it('a folder that is not there is FileUnreadable', async () => {
    await expect(list(join(scratch.path, 'gone'))).rejects.toMatchObject({ code: 'FileUnreadable' });
  });
});
