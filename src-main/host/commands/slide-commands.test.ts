import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { openSlideSource } from '../../engine/slide/open-slide.ts';
import { openSlideLibrary } from '../../engine/slide/openslide/library.ts';
import { jpegPyramid, scratchFolder } from '../../engine/slide/test-files.ts';
import { realSlide } from '../../engine/testing/real-data.ts';
import { EXIT } from '../exit-codes.ts';
import { runCommand } from '../testing/run-command.ts';

const scratch = scratchFolder();
afterAll(() => scratch.remove());
const svs = realSlide('aperio/CMU-1-Small-Region.svs');
const ndpi = realSlide('hamamatsu/test3-DAPI-2-(387).ndpi');
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('info', () => {
  it('gives levels, reader and a fingerprint that a copy under another name shares', async () => {
    const bytes = await jpegPyramid();
    const [a, b] = [scratch.write('a.tif', bytes), scratch.write('b.tif', bytes)];
    const [first, second] = [await runCommand('info', a, '--json'), await runCommand('info', b, '--json')];
    const said = JSON.parse(first.out);
    expect(said).toMatchObject({ file: 'a.tif', reader: 'tiff', mpp: null, associated: [], warnings: [] });
    expect(said.levels.map(({ widthPx }: { widthPx: number }) => widthPx)).toEqual([200, 100]);
    expect(said.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.parse(second.out).fingerprint).toBe(said.fingerprint);
    expect((await runCommand('info', a)).out).toContain(said.fingerprint);
  });

  it.skipIf(ndpi === null || openSlideLibrary() === null)("names OpenSlide's levels where they differ", async () => {
    const said = JSON.parse((await runCommand('info', ndpi ?? '', '--json')).out);
    expect(said.levelsDiffer).toBe(true);
    expect([said.levels.length, said.openSlide.levels.length]).toEqual([4, 7]);
    expect((await runCommand('info', ndpi ?? '')).out).toMatch(/OpenSlide 6 +62 x 76 px/);
  });
});

describe('region', () => {
  it('writes native pixels of a level, placed in level-0 pixels', async () => {
    const slide = scratch.write('region.tif', await jpegPyramid());
    const out = join(scratch.path, 'region.png');
    const place = ['--x', '20', '--y', '40', '--width', '30', '--height', '10'];
    const { code, out: json } = await runCommand('region', slide, ...place, '--level', '1', '--out', out, '--json');
    expect(code).toBe(EXIT.ok);
    expect(JSON.parse(json)).toMatchObject({ file: out, widthPx: 30, heightPx: 10, level: 1 });
    const source = await openSlideSource(slide);
    const expected = await source.readLevelRegion(1, 10, 20, 30, 10);
    await source.close();
    expect(Buffer.compare(await sharp(out).raw().toBuffer(), expected.data)).toBe(0);

    const before = sha256(out);
    const again = await runCommand('region', slide, ...place, '--out', out);
    expect(again.code).toBe(EXIT.failed);
    expect(again.err).toContain('--force');
    expect(sha256(out)).toBe(before);
    expect((await runCommand('region', slide, ...place, '--out', out, '--force')).code).toBe(EXIT.ok);
    expect(sha256(out)).not.toBe(before);
  });

  it('is white left of the slide, and leaves no file behind where it fails', async () => {
    const slide = scratch.write('edge.tif', await jpegPyramid());
    const out = join(scratch.path, 'edge.png');
    const size = ['--y', '0', '--width', '8', '--height', '8'];
    await runCommand('region', slide, '--x', '-8', ...size, '--out', out);
    expect([...(await sharp(out).raw().toBuffer())].every((value) => value === 255)).toBe(true);
    const listed = readdirSync(scratch.path);
    const failed = await runCommand('region', slide, '--x', '0', ...size, '--mpp', '1', '--out', `${out}.2.png`);
    expect(failed).toMatchObject({ code: EXIT.failed });
    expect(failed.err).toContain('pixel size');
    expect(readdirSync(scratch.path)).toEqual(listed);
  });
});

describe('deidentify', () => {
  it.skipIf(svs === null)('lists what it removed, replaces only with --force, never the original', async () => {
    const out = join(scratch.path, 'clean.svs');
    const before = sha256(svs ?? '');
    const { code, out: json } = await runCommand('deidentify', svs ?? '', out, '--json');
    expect(code).toBe(EXIT.ok);
    expect(JSON.parse(json)).toMatchObject({ file: out, verified: true, removedImages: ['label', 'macro'] });
    const clean = sha256(out);
    expect((await runCommand('deidentify', svs ?? '', out)).code).toBe(EXIT.failed);
    const forced = await runCommand('deidentify', svs ?? '', out, '--force');
    expect(forced.out).toContain('ScanScope ID');
    expect(sha256(out)).toBe(clean);

    const link = join(scratch.path, 'link.svs');
    symlinkSync(svs ?? '', link);
    const self = await runCommand('deidentify', svs ?? '', link, '--force');
    expect(self.err).toContain('would replace the original');
    expect(sha256(svs ?? '')).toBe(before);
    expect(readdirSync(scratch.path).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('refuses what it cannot rewrite, with the file of that name kept', async () => {
    const out = scratch.write('kept.svs', 'something of the user');
    const { code } = await runCommand('deidentify', import.meta.filename, out, '--force');
    expect(code).toBe(EXIT.failed);
    expect(readFileSync(out, 'utf8')).toBe('something of the user');
  });
});
