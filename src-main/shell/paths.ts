import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ShellApp } from './electron.ts';

/** Where the parts of the installation and of the user's data lie. */
export interface ShellPaths {
  readonly rendererFolder: string;
  readonly preload: string;
  readonly engine: string;
  readonly resourcesFolder: string;
  readonly icon: string;
  readonly windowState: string;
  readonly recentFiles: string;
  readonly log: string;
  readonly logFolder: string;
  readonly crashDumps: string;
  /**
   * A folder into which the user has installed onnxruntime-node with its CUDA provider; null where there is none. The
   * engine loads that onnxruntime in place of its own.
   */
  readonly cudaFolder: string | null;
}

/** Folder name, beside the user's data or the installation, in which an added CUDA provider is looked for. */
const CUDA_FOLDER = 'cuda';

export function shellPaths(
  app: Pick<ShellApp, 'getAppPath' | 'getPath' | 'isPackaged'>,
  installationResources: string,
  env: Readonly<Record<string, string | undefined>>,
): ShellPaths {
  const appFolder = app.getAppPath();
  // What the engine runs and reads lies beside the archive: worker threads and native libraries need real files.
  const unpacked = app.isPackaged ? appFolder.replace(/app\.asar$/, 'app.asar.unpacked') : appFolder;
  const resourcesFolder = join(unpacked, 'resources');
  const userData = app.getPath('userData');
  const logFolder = app.getPath('logs');
  return {
    rendererFolder: join(appFolder, 'dist', 'renderer'),
    preload: join(appFolder, 'dist', 'preload', 'preload.cjs'),
    engine: join(unpacked, 'dist', 'node', 'utility.mjs'),
    resourcesFolder,
    icon: join(resourcesFolder, 'icons', 'icon.png'),
    windowState: join(userData, 'window-state.json'),
    recentFiles: join(userData, 'recent-files.json'),
    log: join(logFolder, 'shell.log'),
    logFolder,
    crashDumps: app.getPath('crashDumps'),
    cudaFolder: findCudaFolder([
      env.HYALINE_CUDA_FOLDER,
      join(userData, CUDA_FOLDER),
      join(installationResources, CUDA_FOLDER),
    ]),
  };
}

function findCudaFolder(candidates: readonly (string | undefined)[]): string | null {
  const hasProvider = (folder: string): boolean => {
    const native = join(folder, 'node_modules', 'onnxruntime-node', 'bin', 'napi-v6', process.platform, process.arch);
    const names = ['libonnxruntime_providers_cuda.so', 'onnxruntime_providers_cuda.dll'];
    return names.some((name) => existsSync(join(native, name)));
  };
  return candidates.find((folder) => folder !== undefined && folder !== '' && hasProvider(folder)) ?? null;
}
