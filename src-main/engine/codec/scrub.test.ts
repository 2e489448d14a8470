import { describe, expect, it } from 'vitest';
import { mutate } from '../slide/fuzz.ts';
import { jpeg2000Stream, testPixels } from '../slide/test-files.ts';
import { CodecError } from './codec-error.ts';
import { encodeJpeg } from './jpeg.ts';
import { type Scrubbed, scrubJpeg, scrubJpeg2000 } from './scrub.ts';

const jpeg = (): Promise<Uint8Array> => encodeJpeg({ widthPx: 64, heightPx: 48, data: testPixels(64, 48) }, 80);

/** An end marker and a restart in the middle of nothing, as an encoder with restarts writes them. */
async function withRestarts(): Promise<Uint8Array> {
  const stream = Buffer.from(await jpeg());
  return Buffer.concat([stream.subarray(0, stream.length - 2), Buffer.of(0xff, 0xd3, 0xff, 0xff, 0xd9)]);
}

describe('scrubbing a coded image', () => {
  it('returns the stream itself where there is nothing to leave out', async () => {
    const stream = await jpeg();
    const { bytes, comments } = scrubJpeg(stream);
    expect(bytes).toBe(stream);
    expect(comments).toEqual([]);
  });

  it('steps over restarts and fill bytes', async () => {
    const stream = await withRestarts();
    expect(Buffer.compare(scrubJpeg(stream).bytes, stream)).toBe(0);
  });

  it.each([
    ['JPEG', scrubJpeg, jpeg],
    ['JPEG 2000', scrubJpeg2000, () => jpeg2000Stream(64, 48, testPixels(64, 48))],
  ] as const)('%s: of 2,000 mutated streams each is refused, or clean the second time', async (_name, scrub, make) => {
    const base = Uint8Array.from(await make());
    let refused = 0;
    for (let seed = 0; seed < 2_000; seed++) {
      const stream = mutate(base, seed);
      let once: Scrubbed;
      try {
        once = scrub(stream);
      } catch (error) {
        expect(error).toBeInstanceOf(CodecError);
        refused++;
        continue;
      }
      expect(once.bytes.length).toBeLessThanOrEqual(stream.length);
      const twice = scrub(once.bytes);
      expect(twice.comments).toEqual([]);
      expect(Buffer.compare(twice.bytes, once.bytes)).toBe(0);
    }
    expect(refused).toBeGreaterThan(50);
    expect(refused).toBeLessThan(1_950);
  });
});
