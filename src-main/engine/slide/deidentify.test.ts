import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeJpeg } from '../codec/jpeg.ts';
import { realSlide } from '../testing/real-data.ts';
import { openByteSource } from './byte-source.ts';
import { deidentify, KEPT_TAGS, keptDescription } from './deidentify.ts';
import { openSlideSource } from './open-slide.ts';
import { jpeg2000Stream, scratchFolder, testPixels, testTiles } from './test-files.ts';
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

async function expectRefused(path: string, ...words: readonly string[]): Promise<void> {
  const out = join(scratch.path, 'never.tif');
  const error = await deidentify(path, out).catch((refusal: unknown) => refusal);
  expect(error).toMatchObject({ code: 'SlideFormatUnsupported' });
  for (const word of words) expect(String(error)).toContain(word);
  expect(existsSync(out)).toBe(false);
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

  it.each([
    ['OME-TIFF', 'XML header', '<OME>Jane Doe</OME>'],
    ['QPTIFF', 'XML header', '<PerkinElmer-QPI-ImageDescription>Jane Doe</PerkinElmer-QPI-ImageDescription>'],
    ['Philips TIFF', 'one XML header', '<DataObject ObjectType="DPUfsImport">Jane Doe</DataObject>'],
    ['Leica SCN', 'does not write', '<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'],
  ])('are refused as %s, with the reason (%s)', async (format, why, description) => {
    const tags = pageTags({ width: 64, height: 64, tile: 64, description });
    const bytes = buildTiff([{ tags, chunks: await testTiles(64, 64, 64, (data) => data) }]);
    await expectRefused(scratch.write('refused.tif', bytes), format, why);
  });

  it('are refused where they are no TIFF, or no slide', async () => {
    const flat = { tags: pageTags({ width: 8, height: 8 }), chunks: [new Uint8Array(192)], stripped: true };
    await expectRefused(scratch.write('flat.tif', buildTiff([flat])), 'not tiled', 'not tiled');
    const dicom = fileURLToPath(new URL('./dicom/fixtures/rle.dcm', import.meta.url));
    await expectRefused(dicom, 'no TIFF', 'no TIFF');
  });

  it('do not pass verification with a removed text or unaccounted bytes left in them', async () => {
    const source = await openByteSource(await identified(false));
    const file = await readTiffFile(source);
    const page = await readPage(file.ifds[0] as (typeof file.ifds)[0], true);
    const pages = [{ page, keepTags: new Set([...KEPT_TAGS, 316]), description: null }];
    const out = join(scratch.path, 'leaky.tif');
    const { ranges } = await writeTiffCopy(out, source, file.layout, pages);
    const check = (removed: string, upTo = ranges.length) =>
      verifyDeidentified(out, source, { ranges: ranges.slice(0, upTo), pages, removedTexts: new Set([removed]) });
    await check('absent text');
    await expect(check('SCANNER-ROOM-7')).rejects.toMatchObject({ code: 'Internal' });
    await expect(check('absent text', ranges.length - 1)).rejects.toMatchObject({ code: 'Internal' });
    await source.close();
  });
});

/** A marker segment of a JPEG or JPEG 2000 stream. */
function segment(marker: number, payload: string): Uint8Array {
  const body = Buffer.from(payload, 'latin1');
  return Buffer.concat([Uint8Array.of(0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255), body]);
}

const secret = (place: string): string => `SECRET-${place}-JANE-DOE`;

/** A JPEG with a secret wherever one fits without changing a pixel. */
async function talkativeJpeg(data: Uint8Array): Promise<Uint8Array> {
  const stream = await encodeJpeg({ widthPx: 64, heightPx: 64, data }, 85);
  const thumbnail = `JFIF\0\x01\x02\0\0\x01\0\x01\x05\x05${secret('JFIF').padEnd(75)}`;
  const segments = [
    segment(0xe0, thumbnail),
    segment(0xe1, `Exif\0\0${secret('EXIF')}`),
    segment(0xe2, secret('APP2')),
    segment(0xed, `Photoshop 3.0\0${secret('IPTC')}`),
    segment(0xee, `Adobe${secret('APP14')}`),
    segment(0xfe, secret('COM')),
  ];
  const scan = Buffer.from(stream).lastIndexOf(Buffer.of(0xff, 0xda));
  return Buffer.concat([
    stream.subarray(0, 2),
    ...segments,
    stream.subarray(2, scan),
    segment(0xfe, secret('COM2')),
    stream.subarray(scan),
    Buffer.from(secret('EOI')),
  ]);
}

/** Pixels of level 0 from both files, to be compared. */
async function wholeLevels(...paths: readonly string[]): Promise<readonly Uint8Array[]> {
  const images: Uint8Array[] = [];
  for (const path of paths) {
    const slide = await openSlideSource(path);
    images.push((await slide.readLevelRegion(0, 0, 0, slide.info.widthPx, slide.info.heightPx)).data);
    await slide.close();
  }
  return images;
}

describe('a slide with a secret in every place', () => {
  const tags: readonly TestTag[] = [
    ...[269, 271, 272, 285, 305, 306, 315, 316, 33432, 40_000].map(
      (tag): TestTag => ({ tag, type: 'ascii', values: secret(`TAG${tag}`) }),
    ),
    ...[700, 33723, 34377, 37510].map(
      (tag): TestTag => ({ tag, type: 'undefined', values: Buffer.from(secret(`TAG${tag}`)) }),
    ),
  ];

  /** JPEG levels, a label in strips, a label in tiles, a sub-directory, and text between and behind the structures. */
  const written = async (big: boolean): Promise<string> => {
    const jpeg = { tile: 64, compression: 7, photometric: 6 } as const;
    const page = async (side: number, extra: readonly TestTag[]) => ({
      tags: pageTags({ width: side, height: side, ...jpeg, description: secret('DESCRIPTION'), extra }),
      chunks: await testTiles(side, side, 64, talkativeJpeg),
    });
    const tables = Buffer.concat([Buffer.of(0xff, 0xd8), segment(0xfe, secret('TABLES')), Buffer.of(0xff, 0xd9)]);
    const label = Buffer.from(secret('LABEL').repeat(60));
    const stripped = { tags: pageTags({ width: 20, height: 20 }), chunks: [label.subarray(0, 1200)], stripped: true };
    const tiled = {
      tags: pageTags({ width: 16, height: 16, tile: 16 }),
      chunks: [label.subarray(0, 768)],
    };
    const first = await page(128, [...tags, { tag: 347, type: 'undefined', values: tables }]);
    const bytes = buildTiff(
      [{ ...first, subPages: [tiled] }, stripped, tiled, await page(64, [{ tag: 254, type: 'long', values: [1] }])],
      { big },
    );
    return scratch.write(`secret-${big}.tif`, Buffer.concat([bytes, Buffer.from(secret('TAIL'))]));
  };

  it.each([false, true])('keeps its pixels and not one of them (BigTIFF %s)', async (big) => {
    const path = await written(big);
    const before = sha256(path);
    const places =
      readFileSync(path)
        .toString('latin1')
        .match(/SECRET-\w+/g) ?? [];
    expect(new Set(places).size).toBe(10 + 4 + 8 + 4);
    const out = join(scratch.path, `no-secret-${big}.tif`);
    const report = await deidentify(path, out);
    expect(sha256(path)).toBe(before);
    expect(readFileSync(out).toString('latin1')).not.toMatch(/SECRET|JANE/);
    expect(report.removedImages).toHaveLength(2);
    expect(report.removedFields).toContain('comments inside tiles');
    const [original, copy] = await wholeLevels(path, out);
    expect(Buffer.compare(original ?? Buffer.of(1), copy ?? Buffer.of(2))).toBe(0);
  });

  it('in JPEG 2000 tiles: comments leave the main header and the tile-parts', async () => {
    const talkative = async (data: Uint8Array): Promise<Uint8Array> => {
      const stream = Buffer.from(await jpeg2000Stream(64, 64, data));
      const comment = Buffer.concat([segment(0x64, `\0\x01${secret('J2K')}`)]);
      const sot = stream.indexOf(Buffer.of(0xff, 0x90));
      const length = stream.readUInt32BE(sot + 6);
      if (length !== 0) stream.writeUInt32BE(length + comment.length, sot + 6);
      const tilePart = sot + 12;
      return Buffer.concat([
        stream.subarray(0, sot),
        comment,
        stream.subarray(sot, tilePart),
        comment,
        stream.subarray(tilePart),
        Buffer.from(secret('EOC')),
      ]);
    };
    const page = {
      tags: pageTags({ width: 128, height: 64, tile: 64, compression: 33005, description: 'Aperio test|MPP = 0.5' }),
      chunks: await testTiles(128, 64, 64, talkative),
    };
    const path = scratch.write('j2k.svs', buildTiff([page]));
    const out = join(scratch.path, 'j2k-clean.svs');
    await deidentify(path, out);
    expect(readFileSync(path).toString('latin1')).toMatch(/SECRET-J2K[\s\S]*SECRET-J2K[\s\S]*SECRET-EOC/);
    expect(readFileSync(out).toString('latin1')).not.toMatch(/SECRET/);
    const [original, copy] = await wholeLevels(path, out);
    expect(Buffer.compare(original ?? Buffer.of(1), copy ?? Buffer.of(2))).toBe(0);
  });

  it('behind plain samples: the bytes leave; in WebP metadata: the slide is refused', async () => {
    const chunks = (await testTiles(64, 64, 64, (data) => data)).map((tile) =>
      Buffer.concat([tile, Buffer.from(secret('BEHIND'))]),
    );
    const raw = scratch.write('raw.tif', buildTiff([{ tags: pageTags({ width: 64, height: 64, tile: 64 }), chunks }]));
    const out = join(scratch.path, 'raw-clean.tif');
    await deidentify(raw, out);
    expect(readFileSync(out).toString('latin1')).not.toMatch(/SECRET/);
    const pixels = sharp(testPixels(64, 64), { raw: { width: 64, height: 64, channels: 3 } });
    const [bare, withExif] = [
      await pixels.clone().webp({ lossless: true }).toBuffer(),
      await pixels
        .withExif({ IFD0: { Artist: secret('WEBP') } })
        .webp({ lossless: true })
        .toBuffer(),
    ];
    const webp = (tile: Uint8Array): Uint8Array =>
      buildTiff([{ tags: pageTags({ width: 64, height: 64, tile: 64, compression: 50001 }), chunks: [tile] }]);
    await deidentify(scratch.write('webp.tif', webp(bare)), join(scratch.path, 'webp-clean.tif'));
    await expectRefused(scratch.write('exif.tif', webp(withExif)), 'WebP');
  });

  it('is refused where a tile cannot be taken apart', async () => {
    const tile = Buffer.from(await encodeJpeg({ widthPx: 64, heightPx: 64, data: testPixels(64, 64) }, 85));
    tile.fill(0, 4, 40);
    const page = {
      tags: pageTags({ width: 64, height: 64, tile: 64, compression: 7, photometric: 6 }),
      chunks: [tile],
    };
    const out = join(scratch.path, 'broken-clean.tif');
    await expect(deidentify(scratch.write('broken.tif', buildTiff([page])), out)).rejects.toMatchObject({
      code: 'SlideDamaged',
    });
    expect(existsSync(out)).toBe(false);
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
