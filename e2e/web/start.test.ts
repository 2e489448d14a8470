import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appVersion, electronExecutable } from '../../src-main/host/installation.ts';
import { cutNetwork } from './cut-network.ts';
import { makeSandbox, ROOT, type Sandbox } from './harness.ts';

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await makeSandbox();
});

afterAll(() => sandbox?.dispose());

describe('npm start', () => {
  it.skipIf(electronExecutable() !== null)(
    'without Electron says so in one line and serves the demo slide, with no network at all',
    async () => {
      const network = await cutNetwork();
      const [program = '', ...args] = [
        ...(network?.wrap ?? []),
        ...[process.execPath, join(ROOT, 'src-main', 'host', 'start.ts'), '--no-open', '--store', sandbox.storeFolder],
      ];
      const child = spawn(program, args, { cwd: ROOT, env: sandbox.env, stdio: ['ignore', 'pipe', 'pipe'] });
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString('utf8');
      });
      const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
      await expect.poll(() => out, { timeout: 100_000 }).toMatch(/http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+#\/demo/);
      const lines = out.split('\n').filter((line) => /electron/i.test(line));
      expect(lines).toEqual(['Electron is not installed; run npm run setup:electron']);
      child.kill('SIGINT');
      expect(await exited).toBe(0);
      network?.dispose();
    },
  );

  it('says in a sentence that Electron cannot be fetched where there is no network', async ({ skip }) => {
    const network = await cutNetwork();
    skip(network === null || electronExecutable() !== null, 'needs a network that can be cut off, and no Electron');
    const [program = '', ...wrap] = network?.wrap ?? [];
    const { status, stdout, stderr } = spawnSync(
      program,
      [...wrap, process.execPath, join(ROOT, 'src-main', 'host', 'setup-electron.ts')],
      { cwd: ROOT, env: sandbox.env, encoding: 'utf8' },
    );
    network?.dispose();
    expect(status).toBe(1);
    expect(stdout).toMatch(/^Downloading Electron [\d.]+ from github\.com/);
    expect(stderr.trim()).toMatch(/^Electron could not be downloaded: .*\.$/);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('npm run setup:cuda', () => {
  it('says in a sentence that the provider cannot be fetched where there is no network', async ({ skip }) => {
    const network = await cutNetwork();
    skip(
      network === null || process.platform !== 'linux' || process.arch !== 'x64',
      'needs Linux x64 and a network that can be cut off',
    );
    const [program = '', ...wrap] = network?.wrap ?? [];
    const { status, stdout, stderr } = spawnSync(
      program,
      [...wrap, process.execPath, join(ROOT, 'src-main', 'host', 'setup-cuda.ts')],
      { cwd: ROOT, env: sandbox.env, encoding: 'utf8' },
    );
    network?.dispose();
    if (stdout.includes('is installed')) return;
    expect(status).toBe(1);
    expect(stdout).toMatch(/^Downloading the CUDA provider of onnxruntime [\d.]+ from api\.nuget\.org/);
    expect(stderr.trim()).toMatch(/^The CUDA provider could not be downloaded: .*\.$/);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('npx hyaline', () => {
  it('runs from a built checkout', () => {
    const npx = spawnSync(process.platform === 'win32' ? 'npx.cmd' : 'npx', ['--no-install', 'hyaline', '--version'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(npx).toMatchObject({ status: 0, stdout: `${appVersion()}\n` });
  });

  it('finds the Node it needs when an older one starts it', ({ skip }) => {
    const old = olderNode();
    skip(old === null, 'no Node older than 22 is installed');
    const args = [join(ROOT, 'src-main', 'host', 'hyaline.mjs'), 'doctor', '--json', '--store', sandbox.storeFolder];
    const { status, stdout } = spawnSync(old ?? '', args, { encoding: 'utf8', env: sandbox.env });
    expect(status).toBe(0);
    const { versions } = JSON.parse(stdout) as { versions: { node: string } };
    expect(Number(versions.node.split('.')[0])).toBeGreaterThanOrEqual(22);
  });
});

/** A Node on PATH (or beside it) that is too old for the application. */
function olderNode(): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/bin', '/usr/bin'];
  for (const folder of folders) {
    const path = join(folder, 'node');
    if (existsSync(path)) {
      const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
      if (Number(/^v(\d+)/.exec(stdout)?.[1] ?? 99) < 22) {
        return path;
      }
    }
  }
  return null;
}
