import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { ycbcrToRgb } from '../../codec/ycbcr.ts';
import { realSlide } from '../../testing/real-data.ts';
import { openFromBytes, openSlideSource } from '../open-slide.ts';
import { jpeg2000Stream, memorySource, scratchFolder, testPixels, testTiles } from '../test-files.ts';
import { buildTiff, pageTags, type TestTag } from './test-tiff.ts';

const golden = JSON.parse(readFileSync(new URL('./formats.golden.json', import.meta.url), 'utf8')) as {
  qptiff: Record<'composite' | 'thumbnail' | 'macro' | 'label', string>;
  ome: { composite: string };
};
const scratch = scratchFolder();
afterAll(() => scratch.remove());
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('real multi-channel files as Pillow reads their planes', () => {
  const qptiff = realSlide('qptiff/small_vectra.qptiff');
  it.skipIf(qptiff === null)('QPTIFF: composite, associated images, pixel size, objective', async () => {
    const slide = await openSlideSource(qptiff ?? '');
    expect(slide.info).toMatchObject({ vendor: 'qptiff', objective: 10, widthPx: 1920, heightPx: 1440 });
    expect(slide.info.mpp?.xUm).toBeCloseTo((213260 / 4294967295) * 10_000, 9);
    expect(slide.info.warnings.join(' ')).toContain('DAPI, FITC, Cy3');
    expect(sha256((await slide.readLevelRegion(0, 0, 0, 1920, 1440)).data)).toBe(golden.qptiff.composite);
    for (const name of ['thumbnail', 'macro', 'label'] as const) {
      const { bytes } = await slide.associated(name);
      expect({ name, sha256: sha256(await sharp(bytes).raw().toBuffer()) }).toEqual({
        name,
        sha256: golden.qptiff[name],
      });
    }
    await slide.close();
  });

  const ome = realSlide('ome-tiff/multi-channel-z-series.ome.tif');
  it.skipIf(ome === null)('OME-TIFF: the middle focal plane of each channel, and says so', async () => {
    const slide = await openSlideSource(ome ?? '');
    expect(slide.info.warnings.join(' ')).toContain('5 focal planes');
    expect(sha256((await slide.readLevelRegion(0, 0, 0, 439, 167)).data)).toBe(golden.ome.composite);
    await slide.close();
  });
});

const reduced: TestTag = { tag: 254, type: 'long', values: [1] };

describe('OME-TIFF pyramids in SubIFDs', () => {
  const omeXml = (pixels: string, channels: string): string =>
    `<?xml version="1.0"?><OME xmlns="x"><Instrument><Objective NominalMagnification="40"/></Instrument><Image><Pixels ${pixels}>${channels}</Pixels></Image></OME>`;

  it('brightfield RGB: each SubIFD a level, physical size in any unit', async () => {
    const description = omeXml(
      'DimensionOrder="XYCZT" SizeC="3" SizeZ="1" SizeT="1" PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.25"',
      '<Channel SamplesPerPixel="3"/><TiffData IFD="0"/>',
    );
    const level = async (side: number) => ({
      tags: pageTags({ width: side, height: side, tile: 64, extra: [reduced] }),
      chunks: await testTiles(side, side, 64, (data) => data),
    });
    const top = {
      tags: pageTags({ width: 200, height: 200, tile: 64, description }),
      chunks: await testTiles(200, 200, 64, (data) => data),
      subPages: [await level(100), await level(50)],
    };
    for (const big of [false, true]) {
      const slide = await openSlideSource(scratch.write('rgb.ome.tif', buildTiff([top], { big })));
      expect(slide.info).toMatchObject({ vendor: 'ome-tiff', objective: 40, mpp: { xUm: 0.25, yUm: 0.25 } });
      expect(slide.info.levels.map(({ widthPx }) => widthPx)).toEqual([200, 100, 50]);
      const image = await slide.readLevelRegion(1, 40, 30, 50, 50);
      expect(Buffer.compare(image.data, testPixels(50, 50, 40, 30))).toBe(0);
      await slide.close();
    }
  });

  it('two 16-bit channels: coloured as stated, one scale for all levels', async () => {
    const description = omeXml(
      'DimensionOrder="XYCZT" SizeC="2" SizeZ="1" SizeT="1"',
      '<Channel Name="red" Color="-16776961"/><Channel Name="green" Color="16711935"/><TiffData/>',
    );
    const plane = (side: number, value: (x: number) => number) => {
      const tile = new Uint8Array(64 * 64 * 2);
      const view = new DataView(tile.buffer);
      for (let at = 0; at < 64 * 64; at++) view.setUint16(at * 2, value(at % 64), true);
      return {
        tags: pageTags({ width: side, height: side, tile: 64, photometric: 1, samples: 1, bits: 16, description }),
        chunks: [tile],
      };
    };
    const bytes = buildTiff([plane(64, (x) => (x < 32 ? 40_000 : 0)), plane(64, (x) => (x < 32 ? 500 : 1000))]);
    const slide = await openSlideSource(scratch.write('two.ome.tif', bytes));
    const { data } = await slide.readLevelRegion(0, 31, 5, 2, 1);
    expect([...data]).toEqual([255, 128, 0, 0, 255, 0]);
    await slide.close();
  });

  it('XML that names planes the file does not have is SlideDamaged', async () => {
    const description = omeXml('SizeC="2" SizeZ="9" SizeT="1"', '<TiffData IFD="0"/>');
    const tags = pageTags({ width: 64, height: 64, tile: 64, photometric: 1, samples: 1, description });
    const bytes = buildTiff([{ tags, chunks: [new Uint8Array(64 * 64)] }]);
    await expect(openSlideSource(scratch.write('lies.ome.tif', bytes))).rejects.toMatchObject({ code: 'SlideDamaged' });
  });
});

describe('Philips TIFF (synthetic only)', () => {
  const attribute = (name: string, text: string): string =>
    `<Attribute Name="${name}" Group="0x0000">${text}</Attribute>`;
  const representation = (number: number, spacing: string): string =>
    `<DataObject ObjectType="PixelDataRepresentation">${attribute('DICOM_PIXEL_SPACING', spacing)}${attribute('PIIM_PIXEL_DATA_REPRESENTATION_NUMBER', String(number))}</DataObject>`;

  it('cuts padded levels to their true size, leaves missing tiles white, finds label and pixel size', async () => {
    const label = await sharp({ create: { width: 30, height: 20, channels: 3, background: '#336699' } })
      .jpeg()
      .toBuffer();
    const description = `<?xml version="1.0"?><DataObject ObjectType="DPUfsImport">${attribute(
      'PIM_DP_SCANNED_IMAGES',
      `<Array><DataObject ObjectType="DPScannedImage">${attribute('PIM_DP_IMAGE_TYPE', 'WSI')}${attribute('DICOM_PIXEL_SPACING', '&quot;0.00025&quot; &quot;0.00025&quot;')}${attribute('PIIM_PIXEL_DATA_REPRESENTATION_SEQUENCE', `<Array>${representation(0, '"0.0002" "0.00025"')}${representation(1, '"0.0004" "0.0005"')}</Array>`)}</DataObject><DataObject ObjectType="DPScannedImage">${attribute('PIM_DP_IMAGE_TYPE', 'LABELIMAGE')}${attribute('PIM_DP_IMAGE_DATA', label.toString('base64'))}</DataObject></Array>`,
    )}</DataObject>`;
    const software: TestTag = { tag: 305, type: 'ascii', values: 'Philips DP v1.0' };
    const finest = [...(await testTiles(192, 128, 64, (data) => data))];
    finest[4] = new Uint8Array(0);
    const bytes = buildTiff(
      [
        { tags: pageTags({ width: 192, height: 128, tile: 64, description, extra: [software] }), chunks: finest },
        {
          tags: pageTags({ width: 128, height: 64, tile: 64, extra: [reduced] }),
          chunks: await testTiles(128, 64, 64, (data) => data),
        },
      ],
      { big: true },
    );
    const slide = await openSlideSource(scratch.write('philips.tiff', bytes));
    expect(slide.info.vendor).toBe('philips');
    expect(slide.info.levels.map(({ widthPx, heightPx }) => [widthPx, heightPx])).toEqual([
      [192, 128],
      [96, 64],
    ]);
    expect(slide.info.mpp).toEqual({ xUm: 0.25, yUm: 0.2, source: 'file' });
    expect(slide.info.associated).toEqual([{ name: 'label', widthPx: 30, heightPx: 20 }]);
    expect(Buffer.compare((await slide.associated('label')).bytes, label)).toBe(0);
    const missing = await slide.readLevelRegion(0, 64, 64, 64, 64);
    expect(missing.data.every((value) => value === 255)).toBe(true);
    const coarse = await slide.readLevelRegion(1, 90, 0, 10, 1);
    expect([...coarse.data.subarray(18)]).toEqual(Array.from({ length: 12 }, () => 255));
    expect(Buffer.compare(coarse.data.subarray(0, 18), testPixels(6, 1, 90, 0))).toBe(0);
    await slide.close();
  });
});

describe('Aperio JPEG 2000 in YCbCr (33003, synthetic only)', () => {
  const slideOf = async (change: (stream: Uint8Array) => void, compression = 33003): Promise<Uint8Array> => {
    const description = 'Aperio test|MPP = 0.5|AppMag = 20';
    const stream = await jpeg2000Stream(64, 64, testPixels(64, 64));
    change(stream);
    const tags = pageTags({ width: 64, height: 64, tile: 64, compression, description });
    return buildTiff([{ tags, chunks: [stream] }]);
  };

  it('is converted to RGB', async () => {
    const slide = await openSlideSource(scratch.write('ycc.svs', await slideOf(() => {})));
    const wanted = testPixels(64, 64);
    ycbcrToRgb(wanted);
    expect(Buffer.compare((await slide.readTile(0, 0, 0)).data, wanted)).toBe(0);
    await slide.close();
  });

  it.each([33003, 33005])('(%i) with subsampled colour is left to OpenSlide, never misread', async (compression) => {
    const bytes = await slideOf((stream) => {
      // XRsiz of the second and third component (T.800, table A.9).
      stream[46] = 2;
      stream[49] = 2;
    }, compression);
    await expect(openFromBytes('x.svs', memorySource(bytes))).rejects.toMatchObject({ code: 'SlideFormatUnsupported' });
  });

  it('with subsampled colour in any other TIFF is named as what it is, not as damage', async () => {
    const stream = await jpeg2000Stream(64, 64, testPixels(64, 64));
    stream[46] = 2;
    stream[49] = 2;
    const tags = pageTags({ width: 64, height: 64, tile: 64, compression: 34712 });
    const slide = await openFromBytes('x.tif', memorySource(buildTiff([{ tags, chunks: [stream] }])));
    await expect(slide.readTile(0, 0, 0)).rejects.toMatchObject({
      code: 'SlideFormatUnsupported',
      message: expect.stringContaining('lower resolution'),
    });
  });
});

describe('dialects that only OpenSlide reads', () => {
  const ndpiFlag: TestTag = { tag: 65420, type: 'long', values: [1] };

  it('are never misread: without OpenSlide, or damaged, they do not open', async () => {
    const tags = pageTags({ width: 64, height: 64, tile: 64, extra: [ndpiFlag] });
    const bytes = buildTiff([{ tags, chunks: await testTiles(64, 64, 64, (data) => data) }]);
    await expect(openSlideSource(scratch.write('x.ndpi', bytes))).rejects.toMatchObject({
      code: expect.stringMatching(/^(SlideFormatUnsupported|SlideDamaged|NotASlide)$/),
    });
  });
});

describe('plain images', () => {
  it.each(['png', 'jpeg', 'tiff'] as const)('a colour profile in a %s is there to be applied', async (format) => {
    const pipeline = sharp(testPixels(40, 30), { raw: { width: 40, height: 30, channels: 3 } });
    const bytes = await pipeline.withIccProfile('p3').toFormat(format).toBuffer();
    const slide = await openSlideSource(scratch.write(`profile.${format}`, bytes));
    expect(slide.info.hasIccProfile).toBe(true);
    const profile = Buffer.from((await slide.iccProfile()) ?? []);
    expect(profile.toString('latin1', 36, 40)).toBe('acsp');
    await slide.close();
  });

  it.each(['png', 'jpeg', 'tiff'] as const)('a %s opens as one level with no pixel size', async (format) => {
    const raw = { width: 700, height: 530, channels: 3 } as const;
    const pipeline = sharp(testPixels(700, 530), { raw });
    const bytes = await (format === 'tiff'
      ? pipeline.tiff({ compression: 'lzw' })
      : pipeline.toFormat(format)
    ).toBuffer();
    const slide = await openSlideSource(scratch.write(`plain.${format}`, bytes));
    expect(slide.info).toMatchObject({
      reader: 'sharp',
      vendor: 'plain-image',
      mpp: null,
      widthPx: 700,
      heightPx: 530,
    });
    const region = await slide.readLevelRegion(0, 480, 490, 100, 100);
    const expected = await sharp(bytes).extract({ left: 480, top: 490, width: 100, height: 40 }).raw().toBuffer();
    expect(Buffer.compare(region.data.subarray(0, expected.length), expected)).toBe(0);
    expect(region.data.subarray(expected.length).every((value) => value === 255)).toBe(true);
    await slide.close();
  });
});
