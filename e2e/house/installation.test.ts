import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

interface Manifest {
  readonly allowScripts: Record<string, boolean>;
  readonly scripts: Record<string, string>;
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}

interface Lockfile {
  readonly packages: Record<
    string,
    { readonly hasInstallScript?: boolean; readonly integrity?: string; link?: boolean }
  >;
}

const manifest = JSON.parse(read('package.json')) as Manifest;
const lockfile = JSON.parse(read('package-lock.json')) as Lockfile;

describe('an installation', () => {
  it('names no registry: the lockfile installs from whichever one the user has', () => {
    expect(read('package-lock.json')).not.toMatch(/"resolved"|registry\.npmjs|https?:\/\/[^"]*\.tgz/);
    expect(read('.npmrc')).toContain('omit-lockfile-registry-resolved=true');
  });

  it('checks every package against its hash', () => {
    const unchecked = Object.entries(lockfile.packages).filter(
      ([path, { integrity, link }]) => path !== '' && link !== true && integrity === undefined,
    );
    expect(unchecked.map(([path]) => path)).toEqual([]);
  });

  it('runs no install script but that of node, which brings its binary from npm', () => {
    expect(manifest.allowScripts).toEqual({
      node: true,
      'better-sqlite3': false,
      'onnxruntime-node': false,
      koffi: false,
      '@julusian/jpeg-turbo': false,
      'electron-winstaller': false,
    });
    expect(read('.npmrc')).toContain('onnxruntime-node-install=skip');
    const decided = new Set([...Object.keys(manifest.allowScripts), 'fsevents']);
    const undecided = Object.entries(lockfile.packages)
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length))
      .filter((name) => !decided.has(name));
    expect(undecided).toEqual([]);
  });

  it('pins every dependency to one version', () => {
    const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  it('runs its checks with the command CI runs', () => {
    expect(manifest.scripts.test).toBe('node e2e/house/check.ts');
    expect(read('.ci/run')).toContain('npm ci\nnpm test');
  });
});
