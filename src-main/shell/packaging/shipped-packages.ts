import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A package in the lockfile. */
interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface ShippedPackage {
  /** Where npm puts it: `node_modules/…`. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** Licence identifier (SPDX) of the lockfile; null where the package names none. */
  readonly licence: string | null;
}

/** Packages that others depend on only to build or fetch their native parts; they stay out of the application. */
export const INSTALL_TOOLS: readonly string[] = ['adm-zip', 'cmake-js', 'global-agent', 'node-addon-api'];

/** Development dependencies whose code the bundles contain: the page's, and the shell's own. */
export const BUNDLED: readonly string[] = ['svelte', 'openseadragon', '@lucide/svelte', '@fontsource-variable/inter'];

function readLock(projectFolder: string): Readonly<Record<string, LockedPackage>> {
  const lock = JSON.parse(readFileSync(join(projectFolder, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  return lock.packages;
}

/** The nearest installation of a name as seen from a package, as Node resolves it. */
function locate(lock: Readonly<Record<string, LockedPackage>>, from: string, name: string): string | null {
  for (let folder = from; ; ) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (lock[path] !== undefined) return path;
    if (folder === '') return null;
    const up = folder.lastIndexOf('/node_modules/');
    folder = up < 0 ? '' : folder.slice(0, up);
  }
}

/** Stand-ins for platforms without a native build: npm installs none of them where Hyaline is packed. */
const isWebAssemblyVariant = (name: string): boolean => name.endsWith('-wasm32');

export const nameOf = (path: string): string => path.split('node_modules/').at(-1) ?? path;

const leftOut = (name: string): boolean => INSTALL_TOOLS.includes(name) || isWebAssemblyVariant(name);

function reachable(lock: Readonly<Record<string, LockedPackage>>, roots: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  const visit = (path: string | null): void => {
    if (path === null || seen.has(path) || leftOut(nameOf(path))) return;
    seen.add(path);
    const { dependencies, optionalDependencies } = lock[path] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) visit(locate(lock, path, name));
  };
  for (const name of roots) visit(locate(lock, '', name));
  return [...seen].toSorted();
}

/** The packages that lie in the application's node_modules, those of other platforms included. */
export function packagesOnDisk(projectFolder: string): readonly ShippedPackage[] {
  const lock = readLock(projectFolder);
  return describeAll(lock, reachable(lock, Object.keys(lock['']?.dependencies ?? {})));
}

/** Every package whose code the application contains, on disk or inside a bundle. */
export function shippedPackages(projectFolder: string): readonly ShippedPackage[] {
  const lock = readLock(projectFolder);
  return describeAll(lock, reachable(lock, [...Object.keys(lock['']?.dependencies ?? {}), ...BUNDLED]));
}

function describeAll(lock: Readonly<Record<string, LockedPackage>>, paths: readonly string[]): ShippedPackage[] {
  return paths.map((path) => {
    const { version = '', license } = lock[path] ?? {};
    return { path, name: nameOf(path), version, licence: license ?? null };
  });
}
