import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');
const BIN = join(ROOT, 'node_modules', '.bin');
/** Compiled code of every Node process a step starts: the hundred that tests start read it, not the sources. */
const COMPILE_CACHE = join(ROOT, 'node_modules', '.cache', 'node');
const CACHE = join(ROOT, 'e2e', 'house', '.cache');

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Shown under the step: what failed and why, or why something was skipped. */
  readonly lines: readonly string[];
}

interface Finished {
  readonly status: number;
  readonly output: string;
}

/** Runs a program of node_modules/.bin, or a script with this Node, from the root of the checkout. */
export function runTool(name: string, args: readonly string[]): Promise<Finished> {
  const isScript = name.endsWith('.ts');
  const program = isScript ? process.execPath : join(BIN, process.platform === 'win32' ? `${name}.cmd` : name);
  const env = {
    ...process.env,
    FORCE_COLOR: '0',
    NO_COLOR: '1',
    ORT_DISABLE_TELEMETRY: '1',
    NODE_COMPILE_CACHE: COMPILE_CACHE,
  };
  const child = spawn(program, isScript ? [join(ROOT, name), ...args] : args, {
    cwd: ROOT,
    env,
    shell: process.platform === 'win32' && !isScript,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output += chunk.toString('utf8');
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ status: 1, output: error.message }));
    child.once('close', (status) => resolve({ status: status ?? 1, output }));
  });
}

/** A program that either passes or fails as a whole. */
export async function checkWith(name: string, args: readonly string[]): Promise<Outcome> {
  const { status, output } = await runTool(name, args);
  return status === 0
    ? { passed: 1, failed: 0, skipped: 0, lines: [] }
    : { passed: 0, failed: 1, skipped: 0, lines: tail(output, 40) };
}

interface TestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** A run of Vitest, counted test by test; a file that cannot be loaded counts as one failure. */
export async function testWith(name: string, args: readonly string[]): Promise<Outcome> {
  mkdirSync(CACHE, { recursive: true });
  const reportPath = join(CACHE, `${name}.json`);
  rmSync(reportPath, { force: true });
  const { status, output } = await runTool('vitest', [
    'run',
    ...args,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportPath}`,
  ]);
  if (!existsSync(reportPath)) {
    return { passed: 0, failed: 1, skipped: 0, lines: tail(output, 40) };
  }
  const report = JSON.parse(readFileSync(reportPath, 'utf8')) as TestReport;
  const broken = report.testResults.filter(
    ({ status: fileStatus, assertionResults }) => fileStatus === 'failed' && !assertionResults.some(isFailed),
  );
  const failed = report.numFailedTests + broken.length;
  const lines = [
    ...report.testResults.flatMap(({ assertionResults }) => assertionResults.filter(isFailed).flatMap(describeFailure)),
    ...reasonsForSkipping(report),
    ...broken.flatMap(({ name: file, message }) => [file, ...indent(message, 6)]),
    ...(status !== 0 && failed === 0 ? tail(output, 20) : []),
  ];
  return {
    passed: report.numPassedTests,
    // Errors outside any test fail the run without failing a test.
    failed: status !== 0 && failed === 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
    lines,
  };
}

/** Suites and tests say in their own names, `(skipped: …)`, why they did not run; each reason once. */
function reasonsForSkipping({ testResults }: TestReport): readonly string[] {
  const skipped = testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'skipped' || status === 'pending'),
  );
  return [...new Set(skipped.flatMap(({ fullName }) => /\((skipped[^)]*)\)/.exec(fullName)?.[1] ?? []))];
}

const isFailed = ({ status }: { readonly status: string }): boolean => status === 'failed';

function describeFailure(test: { readonly fullName: string; readonly failureMessages: readonly string[] }): string[] {
  return [test.fullName, ...indent(test.failureMessages.join('\n'), 8)];
}

function indent(text: string, count: number): string[] {
  return text
    .split('\n')
    .slice(0, count)
    .map((line) => `  ${line}`);
}

function tail(output: string, count: number): string[] {
  return output.trimEnd().split('\n').slice(-count);
}
