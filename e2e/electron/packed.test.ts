import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildChanged } from '../../src-main/host/build.ts';
import { electronExecutable } from '../../src-main/host/installation.ts';
import { commandLineArguments } from '../../src-main/shell/command-line.ts';
import { packedFiles } from '../../src-main/shell/packaging/packed-files.ts';
import { makeStandInRuntime } from './stand-in-runtime.ts';

/**
 * electron-builder packs the application for Linux, around Electron's runtime where it is installed, else around a
 * stand-in: the archive, what lies beside it and the fuses are the real ones, and the engine in it runs from there.
 */
const ROOT = join(import.meta.dirname, '..', '..');
const require = createRequire(import.meta.url);
/** The byte of a fuse that is on. */
const FUSE_ON = '1'.charCodeAt(0);

/** The program of Electron's own runtime where it is installed. */
const runtime = electronExecutable();

let folder: string;
let resources: string;
let unpacked: string;

const hyaline = (...args: readonly string[]): { readonly code: number | null; readonly out: string } => {
  const env = { ...process.env, HYALINE_STORE: join(folder, 'store'), NODE_PATH: '' };
  const entry = join(unpacked, 'src-main', 'host', 'hyaline.mjs');
  const run = spawnSync(process.execPath, [entry, ...args], { cwd: folder, env, encoding: 'utf8' });
  return { code: run.status, out: `${run.stdout}${run.stderr}` };
};

/** Paths of the files below a folder, relative to it. */
const filesBelow = (path: string): readonly string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));

describe.skipIf(process.platform !== 'linux')('the packed application', () => {
  beforeAll(async () => {
    await buildChanged(() => undefined);
    folder = mkdtempSync(join(tmpdir(), 'hyaline-packed-'));
    const { build, Platform } = require('electron-builder') as typeof import('electron-builder');
    await build({
      projectDir: ROOT,
      targets: Platform.LINUX.createTarget('dir'),
      config: {
        extends: join(ROOT, 'electron-builder.yml'),
        electronDist: runtime === null ? makeStandInRuntime(join(folder, 'runtime')) : dirname(runtime),
        directories: { output: join(folder, 'release'), buildResources: 'resources/packaging' },
      },
    });
    const [output = ''] = readdirSync(join(folder, 'release')).filter((name) => name.endsWith('unpacked'));
    resources = join(folder, 'release', output, 'resources');
    unpacked = join(resources, 'app.asar.unpacked');
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is what the dry run says', async () => {
    const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
    const expected = (await packedFiles(ROOT, 'linux', arch)).filter((file) => file.unpacked).map(({ path }) => path);
    expect(filesBelow(unpacked).toSorted()).toEqual(expected.toSorted());
  });

  it('keeps main process and preload in the archive, each complete in itself', async () => {
    const { extractFile } = (await import('@electron/asar')) as typeof import('@electron/asar');
    const archive = join(resources, 'app.asar');
    const main = extractFile(archive, join('dist', 'shell', 'main.mjs')).toString('utf8');
    const preload = extractFile(archive, join('dist', 'preload', 'preload.cjs')).toString('utf8');
    expect(main).toBe(readFileSync(join(ROOT, 'dist', 'shell', 'main.mjs'), 'utf8'));
    const imported = [...main.matchAll(/^import .* from "([^"]+)"/gm)].map(([, name]) => name);
    expect(imported.filter((name) => name !== 'electron' && !name?.startsWith('node:'))).toEqual([]);
    expect([...preload.matchAll(/require\("([^"]+)"\)/g)].map(([, name]) => name)).toEqual(['electron']);
  });

  it('has its fuses set', async () => {
    const { FuseV1Options, getCurrentFuseWire } = await import('@electron/fuses');
    const program = join(resources, '..', 'hyaline');
    const wire = await getCurrentFuseWire(program);
    const on = (fuse: (typeof FuseV1Options)[keyof typeof FuseV1Options]): boolean =>
      (wire as unknown as Record<number, number>)[fuse as number] === FUSE_ON;
    expect({
      runAsNode: on(FuseV1Options.RunAsNode),
      nodeOptions: on(FuseV1Options.EnableNodeOptionsEnvironmentVariable),
      inspect: on(FuseV1Options.EnableNodeCliInspectArguments),
      integrity: on(FuseV1Options.EnableEmbeddedAsarIntegrityValidation),
      onlyArchive: on(FuseV1Options.OnlyLoadAppFromAsar),
      filePrivileges: on(FuseV1Options.GrantFileProtocolExtraPrivileges),
    }).toEqual({
      runAsNode: false,
      nodeOptions: false,
      inspect: false,
      integrity: true,
      onlyArchive: true,
      filePrivileges: false,
    });
  });

  it.skipIf(runtime === null)('answers commands itself (skipped where Electron’s runtime is not installed)', () => {
    const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const program = join(resources, '..', 'hyaline');
    const run = spawnSync(program, ['doctor', '--json', ...asRoot], { encoding: 'utf8', timeout: 60_000 });
    expect(run.status, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/onnxruntime-node/);
  });

  it('brings its licences and icons', () => {
    for (const name of ['licences/third-party.txt', 'licences/texts/LGPL-3.0-or-later.txt', 'icons/icon.png']) {
      expect(existsSync(join(unpacked, 'resources', name)), name).toBe(true);
    }
    expect(existsSync(join(resources, '..', 'LICENSES.chromium.html'))).toBe(true);
  });

  it('runs its engine from there, with nothing of this checkout', () => {
    const { code, out } = hyaline('doctor', '--json');
    expect(out).not.toContain(ROOT);
    expect(code).toBe(0);
    expect(JSON.stringify(JSON.parse(out))).toMatch(/onnxruntime-node/);
    const slide = join(folder, 'slide.tif');
    expect(hyaline('synthesize', slide, '--width', '1024', '--height', '1024', '--seed', '3')).toMatchObject({
      code: 0,
    });
    const analysis = hyaline('analyze', slide, '--backbone', 'random-resnet18', '--out', join(folder, 'out'));
    expect(analysis.code, analysis.out).toBe(0);
    expect(
      readFileSync(join(folder, 'out', 'case.pdf'))
        .subarray(0, 5)
        .toString(),
    ).toBe('%PDF-');
  });

  it('takes every command of its command line for one', () => {
    const listed = [...hyaline('--help').out.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
    expect(listed.length).toBeGreaterThan(3);
    expect(listed.filter((name) => commandLineArguments(['hyaline', name ?? ''], 1) === null)).toEqual([]);
  });
});
