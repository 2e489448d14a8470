import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * `npm run fuzz -- CASES SEED`: the mutation fuzzer of the slide readers for as long as one likes; a hundredth of the
 * cases goes to the slides that OpenSlide reads, in a process of their own. A failure names its case and seed.
 */
const [cases = '100000', seed = '1'] = process.argv.slice(2);
if (![cases, seed].every((text) => /^[1-9]\d*$/.test(text))) {
  console.error('usage: npm run fuzz -- CASES SEED (whole numbers)');
  process.exit(2);
}
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const tests = ['src-main/engine/slide/bad-input.test.ts', 'src-main/engine/slide/openslide/fuzz-openslide.test.ts'];
const { status } = spawnSync(process.execPath, [vitest, 'run', ...tests], {
  stdio: 'inherit',
  env: {
    ...process.env,
    HYALINE_FUZZ_CASES: cases,
    HYALINE_FUZZ_OPENSLIDE_CASES: String(Math.max(40, Math.round(Number(cases) / 100))),
    HYALINE_FUZZ_SEED: seed,
  },
});
process.exitCode = status ?? 1;
