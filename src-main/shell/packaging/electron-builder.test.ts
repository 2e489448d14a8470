import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { FILE_EXTENSIONS } from '../../../src-shared/api/file-kinds.ts';
import { type PackArch, type PackPlatform, packedFiles } from './packed-files.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const require = createRequire(import.meta.url);

interface Association {
  readonly ext: string;
  readonly mimeType: string;
}
interface Configuration {
  readonly electronVersion: string;
  readonly npmRebuild: boolean;
  readonly publish: null;
  readonly electronFuses: Readonly<Record<string, boolean>>;
  readonly fileAssociations: readonly Association[];
  readonly linux: { readonly target: readonly string[] };
  readonly win: { readonly target: readonly string[] };
  readonly mac: { readonly target: readonly { readonly target: string; readonly arch: readonly string[] }[] };
  readonly nsis: { readonly perMachine: boolean };
}
const configuration = load(readFileSync(join(ROOT, 'electron-builder.yml'), 'utf8')) as Configuration;

describe('electron-builder.yml', () => {
  const schema = JSON.parse(readFileSync(require.resolve('app-builder-lib/scheme.json'), 'utf8')) as object;
  // The schema carries annotations of its own (`tsType`) and documents defaults that its types do not allow.
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);

  it('is valid by the schema of the installed electron-builder', () => {
    validate(configuration);
    expect(validate.errors ?? []).toEqual([]);
  });

  it('and that schema would find a misspelt option', () => {
    expect(validate({ ...configuration, npmRebuilds: false })).toBe(false);
    expect(validate({ ...configuration, nsis: { perMachine: 'yes' } })).toBe(false);
  });

  it('packs the Electron whose types the shell is checked against', () => {
    expect(configuration.electronVersion).toBe((require('electron/package.json') as { version: string }).version);
  });

  it('makes deb and AppImage, NSIS and DMG, rebuilds nothing, publishes nowhere', () => {
    expect(configuration.linux.target).toEqual(['deb', 'AppImage']);
    expect(configuration.win.target).toEqual(['nsis']);
    expect(configuration.mac.target.map(({ target }) => target)).toEqual(['dmg']);
    expect([configuration.npmRebuild, configuration.publish]).toEqual([false, null]);
  });

  it('sets every fuse that matters', () => {
    expect(configuration.electronFuses).toMatchObject({
      runAsNode: false,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      grantFileProtocolExtraPrivileges: false,
      enableEmbeddedAsarIntegrityValidation: true,
      onlyLoadAppFromAsar: true,
    });
  });

  it('associates slides and studies with the application, each with a type of its own', () => {
    const extensions = configuration.fileAssociations.map(({ ext }) => ext);
    const shared = new Set(['tif', 'tiff', 'dcm']);
    expect(extensions.toSorted()).toEqual(
      [...FILE_EXTENSIONS.slide.filter((ext) => !shared.has(ext)), ...FILE_EXTENSIONS.project].toSorted(),
    );
    expect(new Set(configuration.fileAssociations.map(({ mimeType }) => mimeType)).size).toBe(extensions.length);
    expect(configuration.nsis.perMachine).toBe(true);
  });
});

const TARGETS: readonly (readonly [PackPlatform, PackArch, readonly string[]])[] = [
  ['linux', 'x64', ['libonnxruntime.so.1']],
  ['linux', 'arm64', ['libonnxruntime.so.1']],
  ['win32', 'x64', ['DirectML.dll', 'dxcompiler.dll', 'dxil.dll', 'onnxruntime.dll']],
  ['win32', 'arm64', ['DirectML.dll', 'dxcompiler.dll', 'dxil.dll', 'onnxruntime.dll']],
  ['darwin', 'arm64', ['libonnxruntime.1.30.0.dylib', 'libonnxruntime.1.dylib']],
];

describe.each(TARGETS)('packed for %s %s', (platform, arch, libraries) => {
  const files = packedFiles(ROOT, platform, arch);
  const paths = files.then((list) => list.map(({ path }) => path));
  const below = async (folder: string): Promise<readonly string[]> =>
    (await paths).filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length));

  it("holds this platform's native libraries and no other's", async () => {
    expect((await below('node_modules/onnxruntime-node/bin/')).toSorted()).toEqual(
      [...libraries, 'onnxruntime_binding.node'].map((name) => `napi-v6/${platform}/${arch}/${name}`).toSorted(),
    );
    expect(await below('node_modules/better-sqlite3/prebuilds/')).toEqual([`${platform}-${arch}.node`]);
    const turbo = await below('node_modules/@julusian/jpeg-turbo/prebuilds/');
    expect(new Set(turbo.map((path) => path.split('/')[0]))).toEqual(new Set([`jpeg-turbo-${platform}-${arch}`]));
    const optional = [...(await below('node_modules/@koromix/koffi-')), ...(await below('node_modules/@img/sharp-'))];
    expect(optional.filter((path) => !path.split('/')[0]?.endsWith(`${platform}-${arch}`))).toEqual([]);
  });

  it('keeps every native library and all of the engine out of the archive', async () => {
    const archived = (await files).filter(({ unpacked }) => !unpacked).map(({ path }) => path);
    expect(archived.filter((path) => !/^(package\.json|dist\/shell\/.*|dist\/preload\/.*)$/.test(path))).toEqual([]);
  });

  it('holds nothing of the workshop', async () => {
    const strange = (await paths).filter((path) =>
      /(\.test\.|\.golden\.|\.map$|^e2e\/|^src-(renderer|shared)\/|^src-main\/(?!host\/hyaline\.mjs)|^\.|electron-builder|node_modules\/(vite|vitest|electron|typescript|svelte|playwright-core)\/)/.test(
        path,
      ),
    );
    expect(strange).toEqual([]);
  });

  it('stays within its size', async () => {
    const megabytes = (await files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / 1e6;
    expect(megabytes).toBeLessThan(200);
    expect(megabytes).toBeGreaterThan(50);
  });
});
