import { afterAll, describe, expect, it } from 'vitest';
import { realSlide } from '../../testing/real-data.ts';
import { openSlideSource } from '../open-slide.ts';
import { scratchFolder, testTiles } from '../test-files.ts';
import { buildTiff, pageTags, type TestTag } from '../tiff/test-tiff.ts';
import { openSlideLibrary } from './library.ts';
import { ndpiWarnings, readNdpi } from './ndpi.ts';

const scratch = scratchFolder();
afterAll(() => scratch.remove());

function word(write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(4);
  write(new DataView(bytes.buffer));
  return bytes;
}

describe('what an NDPI file says of itself', () => {
  const page = async (side: number, lens: number, plane: number, extra: readonly TestTag[] = []) => ({
    tags: pageTags({
      ...{ width: side, height: side, tile: 64 },
      extra: [
        ...extra,
        { tag: 65421, type: 'undefined', values: word((view) => view.setFloat32(0, lens, true)) },
        { tag: 65424, type: 'undefined', values: word((view) => view.setInt32(0, plane, true)) },
      ],
    }),
    chunks: await testTiles(side, side, 64, (data) => data),
  });

  it('focal planes are counted over the levels, and said; the macro image is none', async () => {
    const pages = await Promise.all([page(128, 20, 0), page(128, 20, -2000), page(64, 5, 2000), page(64, -1, 9)]);
    const facts = await readNdpi(scratch.write('stack.ndpi', buildTiff(pages)));
    expect(facts).toMatchObject({ focalPlanes: 3, filterSet: null, iccProfile: null });
    expect([...(facts?.sizes ?? [])]).toEqual(['128x128', '64x64']);
    expect(facts === null ? [] : ndpiWarnings(facts)).toEqual([
      'The slide has 3 focal planes; the one that was focused on is shown.',
    ]);
  });

  it('filter set and colour profile are found', async () => {
    const profile = Uint8Array.from({ length: 200 }, (_, at) => at);
    const extra: readonly TestTag[] = [
      { tag: 34675, type: 'undefined', values: profile },
      { tag: 65434, type: 'ascii', values: 'DAPI ' },
    ];
    const facts = await readNdpi(scratch.write('one.ndpi', buildTiff([await page(64, 20, 0, extra)])));
    expect(facts).toMatchObject({ focalPlanes: 1, filterSet: 'DAPI' });
    expect([...(facts?.iccProfile ?? [])]).toEqual([...profile]);
  });

  it('nothing, where it is no TIFF', async () => {
    expect(await readNdpi(scratch.write('none.ndpi', 'nothing of the kind'))).toBeNull();
  });

  const real = openSlideLibrary() === null ? null : realSlide('hamamatsu/test3-DAPI-2-(387).ndpi');
  it.skipIf(real === null)('a real fluorescence scan says so on opening', async () => {
    const slide = await openSlideSource(real ?? '');
    expect(slide.info.warnings[0]).toContain('fluorescence channel (DAPI 2 (387))');
    expect(slide.info.warnings.join(' ')).toContain('3 further levels that are not stored');
    expect(slide.info.hasIccProfile).toBe(false);
    await slide.close();
  });
});
