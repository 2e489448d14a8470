import { readFileSync, writeFileSync } from 'node:fs';
import { openByteSource } from '../../byte-source.ts';
import { exercise, mutate, mutateNear } from '../../fuzz.ts';
import { openSlideSource } from '../../open-slide.ts';
import { readTiffFile } from '../../tiff/tiff-file.ts';

/**
 * `node fuzz-child.ts SLIDE SCRATCH SEED CASES`: opens mutated copies of a slide that OpenSlide reads. It runs in a
 * process of its own because a fault of a native library ends its process. Prints each case before it starts, at the
 * end a line of JSON with the codes met.
 */
async function main([slide = '', scratch = '', seed = '1', cases = '1']: readonly string[]): Promise<void> {
  const original = new Uint8Array(readFileSync(slide));
  const source = await openByteSource(slide);
  const directories = (await readTiffFile(source)).ifds.map(({ offset }) => offset);
  await source.close();
  const counts: Record<string, number> = {};
  for (let index = 0; index < Number(cases); index++) {
    process.stdout.write(`case ${index} of seed ${seed}\n`);
    const caseSeed = Number(seed) * 1_000_003 + index;
    writeFileSync(scratch, index % 4 === 0 ? mutate(original, caseSeed) : mutateNear(original, caseSeed, directories));
    const codes = await exercise(original, () => openSlideSource(scratch));
    for (const code of codes.length === 0 ? ['clean'] : codes) counts[code] = (counts[code] ?? 0) + 1;
  }
  process.stdout.write(`${JSON.stringify(counts)}\n`);
}

await main(process.argv.slice(2));
