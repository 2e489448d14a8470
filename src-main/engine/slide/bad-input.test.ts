import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src-shared/errors.ts';
import { encodePng } from '../codec/png.ts';
import { realSlide } from '../testing/real-data.ts';
import { exercise, HONEST_CODES, mutate } from './fuzz.ts';
import { openFromBytes } from './open-slide.ts';
import { jpeg2000Stream, jpegPyramid, memorySource, testPixels, testTiles } from './test-files.ts';
import { buildTiff, pageTags, type TestPage, type TestTag } from './tiff/test-tiff.ts';

const CASES = Number(process.env.HYALINE_FUZZ_CASES ?? 10_000);
const SEED = Number(process.env.HYALINE_FUZZ_SEED ?? 1);

async function openError(bytes: Uint8Array): Promise<string> {
  try {
    await openFromBytes('test', memorySource(bytes));
    return 'opens';
  } catch (error) {
    return error instanceof AppError ? error.code : `untyped ${String(error)}`;
  }
}

/** Every tile of every level: its bytes, or the code of the error. */
async function allTiles(bytes: Uint8Array): Promise<Map<string, Uint8Array | string>> {
  const slide = await openFromBytes('test', memorySource(bytes));
  const tiles = new Map<string, Uint8Array | string>();
  for (const [level, { columns, rows }] of slide.info.levels.entries()) {
    const step = Math.max(1, Math.floor((columns * rows) / 12));
    for (let index = 0; index < columns * rows; index += step) {
      const key = `${level}/${index}`;
      try {
        tiles.set(key, (await slide.readTile(level, index % columns, Math.floor(index / columns))).data);
      } catch (error) {
        tiles.set(key, error instanceof AppError ? error.code : `untyped ${String(error)}`);
      }
    }
  }
  return tiles;
}

async function checkTruncations(whole: Uint8Array): Promise<{ refused: number; warned: number }> {
  const expected = await allTiles(whole);
  let refused = 0;
  let warned = 0;
  for (let percent = 5; percent < 100; percent += 5) {
    const cut = whole.slice(0, Math.floor((whole.length * percent) / 100));
    const outcome = await openError(cut);
    if (outcome !== 'opens') {
      expect(['SlideDamaged', 'NotASlide']).toContain(outcome);
      refused++;
      continue;
    }
    const { info } = await openFromBytes('test', memorySource(cut));
    if (info.warnings.some((warning) => warning.includes('cut short'))) warned++;
    for (const [key, tile] of await allTiles(cut)) {
      if (typeof tile === 'string') expect(tile).toBe('SlideDamaged');
      else expect(Buffer.compare(tile, expected.get(key) as Uint8Array)).toBe(0);
    }
  }
  return { refused, warned };
}

describe('a slide cut short at every 5 %', () => {
  for (const name of [
    'aperio/CMU-1-Small-Region.svs',
    'derived/CMU-1-Small-Region_bigtiff-jpeg.tif',
    'generic-tiff/large_image_yb10kx5k.zstd.tiff',
    'openslide-fixtures/boxes.tiff',
  ]) {
    const path = realSlide(name);
    it.skipIf(path === null)(`${name} is refused as damaged, or every tile is right or SlideDamaged`, async () => {
      const { refused } = await checkTruncations(readFileSync(path ?? ''));
      expect(refused).toBeGreaterThan(0);
    });
  }

  it('a DICOM file, a JPEG 2000 slide and an OME-TIFF: the same', async () => {
    const dicom = new Uint8Array(readFileSync(new URL('./dicom/fixtures/fragments.dcm', import.meta.url)));
    for (const whole of [dicom, buildTiff([await jpeg2000Page()]), await omePyramid()]) {
      const { refused } = await checkTruncations(whole);
      expect(refused).toBeGreaterThan(0);
    }
  });

  it('a plain image: refused as damaged', async () => {
    const whole = await smallPng();
    for (let percent = 5; percent < 100; percent += 5) {
      const outcome = await openError(whole.slice(0, Math.floor((whole.length * percent) / 100)));
      expect(['SlideDamaged', 'NotASlide']).toContain(outcome);
    }
  });

  it('a file whose directories come first opens, and says that it is cut short', async () => {
    const whole = await jpegPyramid();
    // The writer puts directories behind the pixels; a second copy of the pixels at the end makes them come first.
    const moved = moveTilesBehind(whole);
    const { refused, warned } = await checkTruncations(moved);
    expect(refused + warned).toBe(19);
    expect(warned).toBeGreaterThan(5);
  });
});

/** Appends the file's tile area again and points the level-0 table there. */
function moveTilesBehind(whole: Uint8Array): Uint8Array {
  const joined = new Uint8Array(whole.length * 2);
  joined.set(whole);
  joined.set(whole, whole.length);
  const view = new DataView(joined.buffer);
  let offset = view.getUint32(4, true);
  while (offset !== 0) {
    const count = view.getUint16(offset, true);
    for (let index = 0; index < count; index++) {
      const at = offset + 2 + index * 12;
      if (view.getUint16(at, true) !== 324) continue;
      const table = view.getUint32(at + 8, true);
      for (let tile = 0; tile < view.getUint32(at + 4, true); tile++) {
        view.setUint32(table + tile * 4, view.getUint32(table + tile * 4, true) + whole.length, true);
      }
    }
    offset = view.getUint32(offset + 2 + count * 12, true);
  }
  return joined;
}

describe('directories that lie', () => {
  const chunks = testTiles(128, 128, 64, (data) => data);
  const slideWith = async (extra: readonly TestTag[], drop: readonly number[] = []): Promise<Uint8Array> => {
    const given = new Set([...drop, ...extra.map((tag) => tag.tag)]);
    const tags = [...pageTags({ width: 128, height: 128, tile: 64 }).filter((tag) => !given.has(tag.tag)), ...extra];
    return buildTiff([{ tags, chunks: await chunks }]);
  };

  it('zeroed: SlideDamaged', async () => {
    const bytes = await slideWith([]);
    const offset = new DataView(bytes.buffer).getUint32(4, true);
    bytes.fill(0, offset);
    expect(await openError(bytes)).toBe('SlideDamaged');
  });

  it('looping: SlideDamaged, at once', async () => {
    const bytes = await slideWith([]);
    const view = new DataView(bytes.buffer);
    const offset = view.getUint32(4, true);
    view.setUint32(offset + 2 + view.getUint16(offset, true) * 12, offset, true);
    expect(await openError(bytes)).toBe('SlideDamaged');
  });

  it('looping through sub-directories: the slide opens with what is there, or is damaged, at once', async () => {
    const bytes = await omePyramid();
    const view = new DataView(bytes.buffer);
    const offset = view.getUint32(4, true);
    let loops = 0;
    for (let index = 0; index < view.getUint16(offset, true); index++) {
      const at = offset + 2 + index * 12;
      if (view.getUint16(at, true) !== 330) continue;
      view.setUint32(at + 8, offset, true);
      loops++;
    }
    expect(loops).toBe(1);
    const started = performance.now();
    expect(['opens', 'SlideDamaged']).toContain(await openError(bytes));
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it.each([
    ['a slide of 2^31 columns', [0x48, 0, 0x06, 0], 2 ** 31],
    ['a slide of 2^32 - 1 rows', [0x48, 0, 0x07, 0], 2 ** 32 - 1],
    ['a slide of no columns', [0x48, 0, 0x06, 0], 0],
    ['more columns than it has frames for', [0x48, 0, 0x06, 0], 9_999],
  ])('DICOM, %s: SlideDamaged', async (_what, tag, value) => {
    const bytes = new Uint8Array(readFileSync(new URL('./dicom/fixtures/rle.dcm', import.meta.url)));
    const at = Buffer.from(bytes).indexOf(Buffer.from([...tag, 0x55, 0x4c, 4, 0]));
    expect(at).toBeGreaterThan(0);
    new DataView(bytes.buffer).setUint32(at + 8, value, true);
    expect(await openError(bytes)).toBe('SlideDamaged');
  });

  it.each([
    ['a width of 2^31', [{ tag: 256, type: 'long', values: [2 ** 31] }]],
    ['a width of 0', [{ tag: 256, type: 'long', values: [0] }]],
    ['tiles of 2^31 px', [{ tag: 322, type: 'long', values: [2 ** 31] }]],
    ['tiles of 0 px', [{ tag: 322, type: 'long', values: [0] }]],
    ['a height that the tile table does not cover', [{ tag: 257, type: 'long', values: [129] }]],
  ] as const)('%s: SlideDamaged', async (_what, extra) => {
    expect(await openError(await slideWith(extra))).toBe('SlideDamaged');
  });

  it('tile offsets past the end: SlideDamaged for the tile, the others read', async () => {
    const bytes = await slideWith([]);
    const view = new DataView(bytes.buffer);
    const offset = view.getUint32(4, true);
    for (let index = 0; index < view.getUint16(offset, true); index++) {
      const at = offset + 2 + index * 12;
      if (view.getUint16(at, true) === 324) view.setUint32(view.getUint32(at + 8, true) + 4, 0xfffffff0, true);
    }
    const slide = await openFromBytes('test', memorySource(bytes));
    await expect(slide.readTile(0, 1, 0)).rejects.toMatchObject({ code: 'SlideDamaged' });
    expect((await slide.readTile(0, 0, 1)).data).toHaveLength(64 * 64 * 3);
  });

  const tabled = realSlide('derived/CMU-1-Small-Region_generic-pyramid.tif');
  it.skipIf(tabled === null)('JPEG tables of another coding: SlideDamaged for the tile', async () => {
    const bytes = new Uint8Array(readFileSync(tabled ?? ''));
    const view = new DataView(bytes.buffer);
    const offset = view.getUint32(4, true);
    for (let index = 0; index < view.getUint16(offset, true); index++) {
      const at = offset + 2 + index * 12;
      if (view.getUint16(at, true) !== 347) continue;
      const table = view.getUint32(at + 8, true);
      bytes.fill(0xff, table + 300, table + 330);
    }
    const slide = await openFromBytes('test', memorySource(bytes));
    await expect(slide.readTile(0, 3, 4)).rejects.toMatchObject({ code: 'SlideDamaged' });
  });
});

describe(`${CASES} mutated files, seed ${SEED}`, () => {
  it('are read, or refused with an honest sentence, quickly and in bounded memory', {
    timeout: 3_600_000,
  }, async () => {
    const bases = await fuzzBases();
    for (const base of bases) expect(await exercise(base)).toEqual([]);
    const started = process.memoryUsage().rss;
    const counts = new Map<string, number>();
    let slowestMs = 0;
    let peak = 0;
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < CASES) {
        const index = next++;
        const base = bases[index % bases.length] as Uint8Array;
        const before = performance.now();
        const codes = await exercise(mutate(base, SEED * 1_000_003 + index)).catch((error: unknown) => {
          throw new Error(`case ${index} of seed ${SEED}`, { cause: error });
        });
        slowestMs = Math.max(slowestMs, performance.now() - before);
        for (const code of codes.length === 0 ? ['clean'] : codes) counts.set(code, (counts.get(code) ?? 0) + 1);
        if (index % 100 === 0) peak = Math.max(peak, process.memoryUsage().rss - started);
      }
    };
    await Promise.all([work(), work(), work(), work()]);
    expect(
      [...counts.keys()].filter((code) => code !== 'clean' && !HONEST_CODES.some((known) => known === code)),
    ).toEqual([]);
    // Both outcomes must occur, or the mutations are too weak or too strong to prove anything.
    expect(counts.get('SlideDamaged') ?? 0).toBeGreaterThan(CASES / 20);
    expect(counts.get('clean') ?? 0).toBeGreaterThan(CASES / 50);
    // This is about hangs: a case takes milliseconds, and on a machine that is busy with other things a few seconds.
    expect(slowestMs).toBeLessThan(20_000);
    expect(peak).toBeLessThan(768 * 2 ** 20);
  });
});

/** The smallest real files of each format, and small ones of our own where there is no real data. */
async function fuzzBases(): Promise<readonly Uint8Array[]> {
  const real = ['openslide-fixtures/small.svs', 'openslide-fixtures/boxes.tiff', 'openslide-fixtures/boxes_0.dcm']
    .map(realSlide)
    .filter((path) => path !== null)
    .map((path) => new Uint8Array(readFileSync(path)));
  const tiles = await testTiles(96, 96, 32, (data) => data);
  const raw = buildTiff([{ tags: pageTags({ width: 96, height: 96, tile: 32 }), chunks: tiles }], { big: true });
  const dicom = ['rle', 'sparse', 'fragments', 'extended-offsets'].map(
    (name) => new Uint8Array(readFileSync(new URL(`./dicom/fixtures/${name}.dcm`, import.meta.url))),
  );
  const coded = [buildTiff([await jpeg2000Page()]), buildTiff([lzwPage()]), await omePyramid(), await smallPng()];
  return [...real, raw, await jpegPyramid(), ...dicom, ...coded];
}

async function jpeg2000Page(): Promise<TestPage> {
  const chunks = await testTiles(64, 32, 32, (data) => jpeg2000Stream(32, 32, data));
  const description = 'Aperio test|MPP = 0.5|AppMag = 20';
  return { tags: pageTags({ width: 64, height: 32, tile: 32, compression: 33005, description }), chunks };
}

/** A run of one byte in LZW: clear, the byte, ever longer repetitions, in 9-bit codes. */
function lzwPage(): TestPage {
  const codes = [256, 7, 258, 259, 260, 261, 262, 263, 264, 265, 266, 267, 268, 269, 270, 271, 272, 273, 274, 275, 276];
  for (let code = 277; code < 340; code++) codes.push(code);
  const bits = codes.map((code) => code.toString(2).padStart(9, '0')).join('');
  const bytes = Uint8Array.from({ length: Math.floor(bits.length / 8) }, (_, at) =>
    Number.parseInt(bits.slice(at * 8, at * 8 + 8), 2),
  );
  return { tags: pageTags({ width: 32, height: 32, tile: 32, compression: 5 }), chunks: [bytes] };
}

async function omePyramid(): Promise<Uint8Array> {
  const description =
    '<OME><Image><Pixels SizeC="2" SizeZ="1" SizeT="1"><Channel Name="a"/><Channel Name="b"/><TiffData/></Pixels></Image></OME>';
  const tags = pageTags({ width: 64, height: 64, tile: 32, photometric: 1, samples: 1, description });
  const chunks = Array.from({ length: 4 }, (_, index) => new Uint8Array(32 * 32).fill(index * 40));
  const sub = {
    tags: pageTags({ width: 32, height: 32, tile: 32, photometric: 1, samples: 1 }),
    chunks: chunks.slice(1, 2),
  };
  return buildTiff([
    { tags, chunks, subPages: [sub] },
    { tags, chunks, subPages: [sub] },
  ]);
}

async function smallPng(): Promise<Uint8Array> {
  return new Uint8Array(await encodePng({ widthPx: 40, heightPx: 30, data: testPixels(40, 30) }));
}
