import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { realSlide } from '../../testing/real-data.ts';
import { HONEST_CODES } from '../fuzz.ts';
import { scratchFolder } from '../test-files.ts';
import { openSlideLibrary } from './library.ts';

const CASES = process.env.HYALINE_FUZZ_OPENSLIDE_CASES ?? '40';
const SEED = process.env.HYALINE_FUZZ_SEED ?? '1';
const scratch = scratchFolder();
afterAll(() => scratch.remove());

describe(`${CASES} mutated slides that OpenSlide reads, seed ${SEED}`, () => {
  const slide = openSlideLibrary() === null ? null : realSlide('hamamatsu/test3-DAPI-2-(387).ndpi');

  it.skipIf(slide === null)(
    'are read or refused with an honest sentence, and no process dies of one',
    {
      timeout: 3_600_000,
    },
    async () => {
      const child = spawn(process.execPath, [
        fileURLToPath(new URL('./testing/fuzz-child.ts', import.meta.url)),
        ...[slide ?? '', join(scratch.path, 'mutated.ndpi'), SEED, CASES],
      ]);
      let said = '';
      let complaints = '';
      child.stdout.on('data', (text) => {
        said += text;
      });
      child.stderr.on('data', (text) => {
        complaints += text;
      });
      const end = await new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
      // The last lines name the case, which repeats itself from its seed.
      expect({ end, last: said.trim().split('\n').slice(-2), complaints: end === 0 ? '' : complaints }).toEqual({
        ...{ end: 0, complaints: '' },
        last: [`case ${Number(CASES) - 1} of seed ${SEED}`, expect.stringMatching(/^\{/)],
      });
      const counts = JSON.parse(said.trim().split('\n').at(-1) ?? '{}') as Record<string, number>;
      expect(
        Object.keys(counts).filter((code) => code !== 'clean' && !HONEST_CODES.some((known) => known === code)),
      ).toEqual([]);
      // Both must occur, or the mutations prove nothing.
      expect(counts.clean ?? 0).toBeGreaterThan(0);
      expect(counts.SlideDamaged ?? 0).toBeGreaterThan(0);
    },
  );
});
