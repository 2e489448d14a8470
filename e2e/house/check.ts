import { findChromium, installChromium } from './chromium.ts';
import { checkWith, type Outcome, testWith } from './steps.ts';

/**
 * `npm test`: every check of the house, then every test. Steps can be named: `npm test -- lint unit`. Each step prints
 * one line, a failed one what failed; the last line sums up all tests and steps.
 */

type Step = readonly [name: string, run: () => Promise<Outcome>];

/** Steps that look at the source and not at each other: done two at a time, the longest first. */
const CHECKS: readonly Step[] = [
  ['types', () => checkWith('tsc', ['-p', 'tsconfig.json'])],
  [
    'types-renderer',
    () =>
      checkWith('svelte-check', ['--tsconfig', './tsconfig.renderer.json', '--fail-on-warnings', '--output', 'human']),
  ],
  ['lint', () => checkWith('biome', ['check', '--error-on-warnings', '.'])],
  [
    'rules',
    () => checkWith('depcruise', ['--config', '.dependency-cruiser.cjs', 'src-shared', 'src-main', 'src-renderer']),
  ],
  ['types-e2e', () => checkWith('tsc', ['-p', 'e2e/tsconfig.json'])],
  ['build', () => checkWith('src-main/host/build.ts', [])],
  ['types-preload', () => checkWith('tsc', ['-p', 'tsconfig.preload.json'])],
  ['types-shared', () => checkWith('tsc', ['-p', 'tsconfig.shared.json'])],
];

/** Steps that run what was built, one after the other. */
const TESTS: readonly Step[] = [
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

const names = [...CHECKS, ...TESTS].map(([name]) => name);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`No such step: ${unknown.join(', ')}. There are: ${names.join(', ')}.`);
  process.exit(2);
}

const total = { passed: 0, failed: 0, skipped: 0 };
await runAll(CHECKS, 2);
await runAll(TESTS, 1);
console.log(sum(total.passed, total.failed, total.skipped));
process.exitCode = total.failed > 0 ? 1 : 0;

/** Does the steps that are wanted, `width` at a time. */
async function runAll(steps: readonly Step[], width: number): Promise<void> {
  const left = steps.filter(([name]) => wanted.length === 0 || wanted.includes(name));
  const work = async (): Promise<void> => {
    for (let step = left.shift(); step !== undefined; step = left.shift()) await runStep(step);
  };
  await Promise.all(Array.from({ length: width }, work));
}

/** Does one step, prints its line and adds to the sum. */
async function runStep([name, run]: Step): Promise<void> {
  const startedMs = Date.now();
  const { passed, failed, skipped, lines } = await run();
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
