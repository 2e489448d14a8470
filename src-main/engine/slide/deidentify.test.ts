import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { realSlide } from '../testing/real-data.ts';
import { openByteSource } from './byte-source.ts';
import { deidentify, KEPT_TAGS, keptDescription } from './deidentify.ts';
import { openSlideSource } from './open-slide.ts';
import { scratchFolder, testTiles } from './test-files.ts';
import { writeTiffCopy } from './tiff/rewrite.ts';
import { buildTiff, pageTags, type TestTag } from './tiff/test-tiff.ts';
import { readTiffFile } from './tiff/tiff-file.ts';
import { readPage } from './tiff/tiff-page.ts';
import { verifyDeidentified } from './verify-deidentified.ts';

const scratch = scratchFolder();
afterAll(() => scratch.remove());
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('a real SVS without its label', () => {
  const path = realSlide('aperio/CMU-1-Small-Region.svs');

  it.skipIf(path === null)('keeps pixels and scale, loses label, macro and identifying fields', async () => {
    const before = sha256(path ?? '');
    const out = join(scratch.path, 'clean.svs');
    const report = await deidentify(path ?? '', out);
    expect(sha256(path ?? '')).toBe(before);
    expect(report.removedImages).toEqual(['label', 'macro']);
    expect(report.removedFields).toEqual(
      expect.arrayContaining(['Filename', 'User', 'Date', 'Time', 'ScanScope ID', 'ImageID']),
    );

    const [original, copy] = [await openSlideSource(path ?? ''), await openSlideSource(out)];
    expect(copy.info).toEqual({ ...original.info, associated: [{ name: 'thumbnail', widthPx: 574, heightPx: 768 }] });
    for (const [column, row] of [
      [0, 0],
      [4, 6],
      [9, 12],
    ] as const) {
      const [a, b] = [await original.encodedTile(0, column, row), await copy.encodedTile(0, column, row)];
      expect(Buffer.compare(a?.bytes ?? new Uint8Array(1), b?.bytes ?? new Uint8Array(2))).toBe(0);
    }
    await original.close();
    await copy.close();

    const text = readFileSync(out).toString('latin1');
    for (const gone of ['CPAPERIOCS', '12/29/09', 'b414003d-95c6', 'label 387x463', 'macro 1280x431']) {
      expect(
        readFileSync(path ?? '')
          .toString('latin1')
          .includes(gone),
      ).toBe(true);
      expect(text.includes(gone)).toBe(false);
    }
    expect(text).toContain('MPP = 0.4990');
    // Every strip of label and macro: a stretch from its middle must not be found in the copy.
    for (const needle of await strips(path ?? '', [2, 3])) expect(text.includes(needle)).toBe(false);
  });
});

async function strips(path: string, ifds: readonly number[]): Promise<readonly string[]> {
  const source = await openByteSource(path);
  const file = await readTiffFile(source);
  const found: string[] = [];
  for (const index of ifds) {
    const ifd = file.ifds[index];
    const offsets = (await ifd?.numbers(273, 1000)) ?? [];
    const counts = (await ifd?.numbers(279, 1000)) ?? [];
    for (const [strip, offset] of offsets.entries()) {
      const middle = offset + Math.floor((counts[strip] ?? 0) / 2);
      found.push(Buffer.from(await source.read(middle, 24)).toString('latin1'));
    }
  }
  await source.close();
  expect(found.length).toBeGreaterThan(50);
  return found;
}

const secrets: readonly TestTag[] = [
  { tag: 269, type: 'ascii', values: 'Doe, Jane 1950-01-01' },
  { tag: 306, type: 'ascii', values: '2020:02:03 04:05:06' },
  { tag: 316, type: 'ascii', values: 'SCANNER-ROOM-7' },
  { tag: 40_000, type: 'ascii', values: 'case S20-12345' },
];

describe('files the tests write', () => {
  const identified = async (big: boolean): Promise<string> => {
    const level = (side: number, extra: readonly TestTag[]) =>
      testTiles(side, side, 64, (data) => data).then((chunks) => ({
        tags: pageTags({ width: side, height: side, tile: 64, description: 'Patient Jane Doe', extra }),
        chunks,
      }));
    const label = {
      tags: pageTags({ width: 20, height: 20, description: 'Jane Doe label' }),
      chunks: [new Uint8Array(1200).fill(77)],
      stripped: true,
    };
    const pages = [await level(128, secrets), label, await level(64, [{ tag: 254, type: 'long', values: [1] }])];
    return scratch.write(`identified-${big}.tif`, buildTiff(pages, { big }));
  };

  it.each([false, true])('lose every field that is not about pixels (BigTIFF %s)', async (big) => {
    const path = await identified(big);
    const out = join(scratch.path, `clean-${big}.tif`);
    const report = await deidentify(path, out);
    expect(report.removedFields).toEqual(
      expect.arrayContaining(['ImageDescription', 'TIFF tag 269', 'TIFF tag 306', 'TIFF tag 316', 'TIFF tag 40000']),
    );
    const text = readFileSync(out).toString('latin1');
    for (const gone of ['Jane', '2020:02', 'SCANNER', 'S20-12345', String.fromCharCode(77).repeat(30)]) {
      expect(text.includes(gone)).toBe(false);
    }
    const slide = await openSlideSource(out);
    expect(slide.info.levels).toHaveLength(2);
    await slide.close();
  });

  it('never replace a file', async () => {
    const path = await identified(false);
    await expect(deidentify(path, path)).rejects.toMatchObject({ code: 'NotAllowed' });
    expect(existsSync(`${path}.partial`)).toBe(false);
  });

  it('are refused where nobody knows what identifies them', async () => {
    const ome = pageTags({ width: 64, height: 64, tile: 64, description: '<OME>Jane Doe</OME>' });
    const bytes = buildTiff([{ tags: ome, chunks: await testTiles(64, 64, 64, (data) => data) }]);
    const path = scratch.write('ome.tif', bytes);
    const out = join(scratch.path, 'never.tif');
    await expect(deidentify(path, out)).rejects.toMatchObject({ code: 'SlideFormatUnsupported' });
    expect(existsSync(out)).toBe(false);
  });

  it('do not pass verification with a removed text or unaccounted bytes left in them', async () => {
    const source = await openByteSource(await identified(false));
    const file = await readTiffFile(source);
    const page = await readPage(file.ifds[0] as (typeof file.ifds)[0], true);
    const pages = [{ page, keepTags: new Set([...KEPT_TAGS, 316]), description: null }];
    const out = join(scratch.path, 'leaky.tif');
    const ranges = await writeTiffCopy(out, source, file.layout, pages);
    const check = (removed: string, upTo = ranges.length) =>
      verifyDeidentified(out, source, { ranges: ranges.slice(0, upTo), pages, removedTexts: new Set([removed]) });
    await check('absent text');
    await expect(check('SCANNER-ROOM-7')).rejects.toMatchObject({ code: 'Internal' });
    await expect(check('absent text', ranges.length - 1)).rejects.toMatchObject({ code: 'Internal' });
    await source.close();
  });
});

describe('the description of an Aperio slide', () => {
  it('keeps library, geometry, magnification and scale only', () => {
    const text =
      'Aperio Image Library v11.2.1 \r\n46000x32914 [42673,5576 2220x2967] (240x240) JPEG/RGB Q=30|AppMag = 20|Filename = Doe Jane|MPP = 0.4990|User = x';
    expect(keptDescription(text, true)).toBe(
      'Aperio Image Library v11.2.1\r\n46000x32914 [42673,5576 2220x2967] (240x240) JPEG/RGB Q=30|AppMag = 20|MPP = 0.4990',
    );
    expect(keptDescription('Aperio Image Library v11\r\nDoe Jane 1950', true)).toBe('Aperio Image Library v11');
    expect(keptDescription('Doe Jane', false)).toBe('');
  });
});
