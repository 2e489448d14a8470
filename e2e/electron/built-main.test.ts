import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtApplication } from './application.ts';

describe('the built main process', () => {
  let application: Awaited<ReturnType<typeof builtApplication>>;
  beforeAll(async () => {
    application = await builtApplication();
  });
  afterAll(() => application?.dispose());

  it('opens a window, starts the built engine, serves the built page and ends cleanly', () => {
    const script = join(import.meta.dirname, 'run-built-main.ts');
    const run = spawnSync(process.execPath, [script, application.folder], { encoding: 'utf8', timeout: 120_000 });
    expect(run.status, run.stderr).toBe(0);
    const came = JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '');
    expect(came).toMatchObject({
      connected: { ok: true, value: { generation: 1 } },
      page: 200,
      script: [200, 'text/javascript; charset=utf-8'],
      engineExit: 0,
    });
    expect(came.schemes).toEqual([
      { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
    ]);
    expect(came.preload).toBe(join(application.folder, 'dist', 'preload', 'preload.cjs'));
    expect(existsSync(came.preload)).toBe(true);
  });
});
