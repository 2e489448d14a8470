import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/**
 * The folder of the onnxruntime-node package that is loaded: the installation's own, or one that the user has put in
 * place because it holds more providers (the CUDA one is too large to ship). The latter is `node_modules/onnxruntime-node`
 * below HYALINE_CUDA_FOLDER and counts only in the very version of the installation.
 */
export function onnxruntimePackage(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const own = dirname(require.resolve('onnxruntime-node/package.json'));
  const folder = env.HYALINE_CUDA_FOLDER;
  if (folder === undefined || folder === '') return own;
  const added = join(folder, 'node_modules', 'onnxruntime-node');
  return versionOf(added) === versionOf(own) && existsSync(nativeFolder(added)) ? added : own;
}

/** Where a package keeps the native libraries of this platform. */
export function nativeFolder(packageFolder: string): string {
  return join(packageFolder, 'bin', 'napi-v6', process.platform, process.arch);
}

function versionOf(packageFolder: string): string | null {
  try {
    const { version } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version?: unknown };
    return typeof version === 'string' ? version : null;
  } catch {
    return null;
  }
}
