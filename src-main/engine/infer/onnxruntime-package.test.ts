import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nativeFolder, onnxruntimePackage } from './onnxruntime-package.ts';

const own = onnxruntimePackage({});
let folder: string;
let added: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hyaline-ort-'));
  added = join(folder, 'node_modules', 'onnxruntime-node');
  mkdirSync(dirname(nativeFolder(added)), { recursive: true });
  cpSync(join(own, 'dist'), join(added, 'dist'), { recursive: true });
  cpSync(join(own, 'package.json'), join(added, 'package.json'));
  symlinkSync(nativeFolder(own), nativeFolder(added));
  symlinkSync(join(own, '..', 'onnxruntime-common'), join(folder, 'node_modules', 'onnxruntime-common'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the onnxruntime that is loaded', () => {
  it('is the installation’s own unless another is named', () => {
    expect(readFileSync(join(own, 'package.json'), 'utf8')).toContain('"onnxruntime-node"');
    expect(onnxruntimePackage({ HYALINE_CUDA_FOLDER: '' })).toBe(own);
    expect(onnxruntimePackage({ HYALINE_CUDA_FOLDER: join(folder, 'nothing') })).toBe(own);
  });

  it('is the added one where that is of the same version, and it runs from there', () => {
    expect(onnxruntimePackage({ HYALINE_CUDA_FOLDER: folder })).toBe(added);
    const runtime = pathToFileURL(join(import.meta.dirname, 'runtime.ts')).href;
    const script = `import { loadRuntime } from ${JSON.stringify(runtime)};
      import { createRequire } from 'node:module';
      const { InferenceSession } = await loadRuntime();
      console.log(typeof InferenceSession.create, Object.keys(createRequire(import.meta.url).cache).filter((path) => path.endsWith('binding.js')).join());`;
    const env = { ...process.env, ORT_DISABLE_TELEMETRY: '1', HYALINE_CUDA_FOLDER: folder };
    const run = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { env, encoding: 'utf8' });
    expect(run.stdout.trim(), run.stderr).toBe(`function ${join(added, 'dist', 'binding.js')}`);
  });

  it('is not one of another version', () => {
    const other = mkdtempSync(join(tmpdir(), 'hyaline-ort-'));
    cpSync(folder, other, { recursive: true, verbatimSymlinks: true });
    const path = join(other, 'node_modules', 'onnxruntime-node', 'package.json');
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), version: '0.0.1' }));
    expect(onnxruntimePackage({ HYALINE_CUDA_FOLDER: other })).toBe(own);
    rmSync(other, { recursive: true, force: true });
  });
});
