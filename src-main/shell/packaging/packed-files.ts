import { createRequire } from 'node:module';
import { relative } from 'node:path';
import type { Arch, Packager, Platform } from 'app-builder-lib';
import type { FileMatcher, GetFileMatchersOptions } from 'app-builder-lib/out/fileMatcher.js';
import type { ResolvedFileSet } from 'app-builder-lib/out/util/appFileCopier.js';

/** What electron-builder would put into the application for one platform, without packing it. */
export interface PackedFile {
  /** Path inside the application, with forward slashes. */
  readonly path: string;
  readonly sizeBytes: number;
  /** True for a real file beside the archive. */
  readonly unpacked: boolean;
}

export type PackPlatform = 'linux' | 'win32' | 'darwin';
export type PackArch = 'x64' | 'arm64';

/** Inside of electron-builder: declared here, because its own declarations leave it out. */
interface Internals {
  getMainFileMatchers(
    appDir: string,
    destination: string,
    macroExpander: GetFileMatchersOptions['macroExpander'],
    options: unknown,
    platformPackager: unknown,
    outDir: string,
    isElectronCompile: boolean,
  ): FileMatcher[];
  getNodeModuleFileMatcher(
    appDir: string,
    destination: string,
    macroExpander: GetFileMatchersOptions['macroExpander'],
    options: unknown,
    packager: Packager,
  ): FileMatcher;
  getFileMatchers(
    config: unknown,
    name: 'asarUnpack',
    destination: string,
    options: GetFileMatchersOptions,
  ): FileMatcher[] | null;
  computeFileSets(
    matchers: FileMatcher[],
    transformer: null,
    platformPackager: unknown,
    isElectronCompile: false,
  ): Promise<ResolvedFileSet[]>;
  computeNodeModuleFileSets(platformPackager: unknown, matcher: FileMatcher): Promise<ResolvedFileSet[]>;
  getDestinationPath(file: string, fileSet: ResolvedFileSet): string;
}

interface PlatformPackager {
  readonly platformSpecificBuildOptions: unknown;
  createGetFileMatchersOptions(outDir: string, arch: Arch, options: unknown): GetFileMatchersOptions;
}

const require = createRequire(import.meta.url);
const DESTINATION = '/application';

/**
 * The files of the application as electron-builder's own matching chooses them (26.x, whose insides this calls in the
 * order its `PlatformPackager.copyAppFiles` does). Needs no Electron runtime. What npm has installed for this platform
 * stands for what it would install on the other.
 * @param projectFolder where electron-builder.yml lies
 */
export async function packedFiles(
  projectFolder: string,
  platform: PackPlatform,
  arch: PackArch,
): Promise<readonly PackedFile[]> {
  const library = require('app-builder-lib') as typeof import('app-builder-lib');
  const inside: Internals = {
    ...require('app-builder-lib/out/fileMatcher.js'),
    ...require('app-builder-lib/out/util/appFileCopier.js'),
  };
  const packager = new library.Packager({ projectDir: projectFolder, config: 'electron-builder.yml' });
  await packager.validateConfig();
  const platformPackager = await platformPackagerOf(packager, library.Platform, platform);
  const outDir = `${projectFolder}/release`;
  const options = platformPackager.platformSpecificBuildOptions;
  const matching = platformPackager.createGetFileMatchersOptions(outDir, library.Arch[arch], options);
  const { macroExpander } = matching;
  const main = inside.getMainFileMatchers(
    packager.appDir,
    DESTINATION,
    macroExpander,
    options,
    platformPackager,
    outDir,
    false,
  );
  const modules = inside.getNodeModuleFileMatcher(packager.appDir, DESTINATION, macroExpander, options, packager);
  const fileSets = [
    ...(await inside.computeFileSets(main, null, platformPackager, false)),
    ...(await inside.computeNodeModuleFileSets(platformPackager, modules)),
  ];
  const unpack = inside.getFileMatchers(packager.config, 'asarUnpack', DESTINATION, matching)?.[0]?.createFilter();
  const files = new Map<string, PackedFile>();
  for (const fileSet of fileSets) {
    for (const file of fileSet.files) {
      const stat = fileSet.metadata.get(file);
      if (stat === undefined || !stat.isFile()) continue;
      const path = relative(DESTINATION, inside.getDestinationPath(file, fileSet)).replaceAll('\\', '/');
      files.set(path, { path, sizeBytes: stat.size, unpacked: unpack?.(file, stat) ?? false });
    }
  }
  return [...files.values()];
}

async function platformPackagerOf(
  packager: Packager,
  platforms: typeof Platform,
  platform: PackPlatform,
): Promise<PlatformPackager> {
  const named = { linux: platforms.LINUX, win32: platforms.WINDOWS, darwin: platforms.MAC }[platform];
  const { AppInfo } = require('app-builder-lib/out/appInfo.js') as {
    AppInfo: new (info: Packager, v: null) => unknown;
  };
  // `build()` sets this between reading the configuration and packing.
  Object.assign(packager, { _appInfo: new AppInfo(packager, null) });
  const inside = packager as unknown as { createHelper(platform: Platform): Promise<PlatformPackager> };
  return inside.createHelper(named);
}
