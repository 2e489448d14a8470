import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const SCRIPT = `
  const { selfTest } = await import(${JSON.stringify(new URL('./self-test.ts', import.meta.url).href)});
  const { relativeError } = await selfTest('cpu', null, [1, 3, 64, 64]);
  if (relativeError !== 0) process.exit(2);
`;

/** Runs a network in a process whose home and cache are an empty folder; tells its exit code and what it left there. */
async function runAtHome(
  telemetry: string | undefined,
): Promise<{ code: number | null; left: string[]; errors: string }> {
  const home = await mkdtemp(join(tmpdir(), 'hyaline-home-'));
  const { ORT_DISABLE_TELEMETRY: _, NODE_OPTIONS: __, CI: ___, ...inherited } = process.env;
  const env = { ...inherited, HOME: home, XDG_CACHE_HOME: join(home, 'cache'), XDG_CONFIG_HOME: join(home, 'config') };
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], {
    env: telemetry === undefined ? env : { ...env, ORT_DISABLE_TELEMETRY: telemetry },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  const left = await readdir(home, { recursive: true });
  await rm(home, { recursive: true, force: true });
  return { code, left, errors };
}

it('onnxruntime leaves no usage data behind', async () => {
  expect(await runAtHome('1')).toEqual({ code: 0, left: [], errors: '' });
});

it('refuses to run where usage reports are not switched off', async () => {
  const { code, left, errors } = await runAtHome(undefined);
  expect(code).not.toBe(0);
  expect(errors).toContain('usage reports are not switched off');
  expect(left).toEqual([]);
});
