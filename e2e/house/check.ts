import { findChromium, installChromium } from './chromium.ts';
import { checkWith, type Outcome, testWith } from './steps.ts';

/**
 * `npm test`: every check of the house, cheapest first. Steps can be named: `npm test -- lint unit`. Each step prints
 * one line, a failed one what failed; the last line sums up all tests and steps.
 */
const STEPS: readonly (readonly [string, () => Promise<Outcome>])[] = [
  ['lint', () => checkWith('biome', ['check', '--error-on-warnings', '.'])],
  ['types', () => checkWith('tsc', ['-p', 'tsconfig.json'])],
  ['types-e2e', () => checkWith('tsc', ['-p', 'e2e/tsconfig.json'])],
  ['types-preload', () => checkWith('tsc', ['-p', 'tsconfig.preload.json'])],
  ['types-shared', () => checkWith('tsc', ['-p', 'tsconfig.shared.json'])],
  [
    'types-renderer',
    () =>
      checkWith('svelte-check', ['--tsconfig', './tsconfig.renderer.json', '--fail-on-warnings', '--output', 'human']),
  ],
  [
    'rules',
    () => checkWith('depcruise', ['--config', '.dependency-cruiser.cjs', 'src-shared', 'src-main', 'src-renderer']),
  ],
  ['build', () => checkWith('src-main/host/build.ts', [])],
  ['unit', () => testWith('unit', [])],
  ['e2e', endToEnd],
];

async function endToEnd(): Promise<Outcome> {
  if (findChromium() === null) {
    const reason = installChromium();
    if (reason !== null) {
      return { passed: 0, failed: 0, skipped: 1, lines: [`Skipped: ${reason}.`] };
    }
  }
  return testWith('e2e', ['--config', 'vitest.e2e.config.ts']);
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !STEPS.some(([step]) => step === name));
if (unknown.length > 0) {
  console.error(`No such step: ${unknown.join(', ')}. There are: ${STEPS.map(([name]) => name).join(', ')}.`);
  process.exit(2);
}

const total = { passed: 0, failed: 0, skipped: 0 };
for (const [name, step] of STEPS) {
  if (wanted.length > 0 && !wanted.includes(name)) {
    continue;
  }
  const startedMs = Date.now();
  const { passed, failed, skipped, lines } = await step();
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
  console.log(
    `${failed > 0 ? 'FAILED' : 'ok    '}  ${name.padEnd(14)} ${sum(passed, failed, skipped)}  (${seconds} s)`,
  );
  for (const line of lines) {
    console.log(`        ${line}`);
  }
}

/** `3 passed, 1 failed, 2 skipped`; skipped only where there are any. */
function sum(passed: number, failed: number, skipped: number): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

console.log(sum(total.passed, total.failed, total.skipped));
process.exitCode = total.failed > 0 ? 1 : 0;
