import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { collectLicences } from './collect-licences.ts';
import { packedFiles } from './packed-files.ts';
import { BUNDLED, nameOf, packagesOnDisk, shippedPackages } from './shipped-packages.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** Licences that allow what Hyaline does with the packages: to ship them unchanged, libraries under LGPL as files. */
const ACCEPTED = new Set([
  'MIT',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'OFL-1.1',
  '(MIT AND Zlib)',
  'LGPL-3.0-or-later',
  'Apache-2.0 AND LGPL-3.0-or-later',
  // The licences of the Bitstream Vera family, and of NIST: both free to use, change and pass on.
  'SEE LICENSE IN README.md AND LICENSE',
  'SEE LICENSE IN LICENSE.txt',
]);

/** Packages whose package.json names no licence but whose LICENSE file is the MIT licence. */
const UNNAMED = new Set(['png-js']);

describe('the licences of what is shipped', () => {
  it('are collected: run `node src-main/shell/packaging/collect-licences.ts` when packages change', () => {
    expect(readFileSync(join(ROOT, 'resources', 'licences', 'third-party.txt'), 'utf8')).toBe(collectLicences(ROOT));
  });

  it('allow it', () => {
    const others = shippedPackages(ROOT).filter(
      ({ name, licence }) => !ACCEPTED.has(licence ?? '') && !(licence === null && UNNAMED.has(name)),
    );
    expect(others).toEqual([]);
  });

  it('cover every package that is packed, and nothing is packed that only serves an installation', async () => {
    const files = await packedFiles(ROOT, 'linux', 'x64');
    // By name: electron-builder arranges nested packages anew.
    const packed = new Set(
      files.flatMap(({ path }) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
    );
    const onDisk = packagesOnDisk(ROOT);
    const installed = onDisk.filter(({ path }) => existsSync(join(ROOT, path))).map(({ name }) => name);
    expect([...packed].filter((name) => !onDisk.some((shipped) => shipped.name === name))).toEqual([]);
    // A package built for another platform may be installed and left out.
    expect(installed.filter((name) => !packed.has(name) && !/-(linux|win32|darwin)/.test(name))).toEqual([]);
  });

  it('cover every package that a bundle takes in', () => {
    const covered = new Set(shippedPackages(ROOT).map(({ name }) => name));
    const imported = ['src-renderer', 'src-main/shell', 'src-main/preload', 'src-shared'].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => /\.(ts|svelte|css)$/.test(file) && !/\.test\.ts$|testing\/|packaging\//.test(file))
        .flatMap((file) => bareImports(readFileSync(join(ROOT, folder, file), 'utf8'))),
    );
    expect(imported.length).toBeGreaterThan(5);
    expect([...new Set(imported)].filter((name) => !covered.has(name))).toEqual([]);
    for (const name of BUNDLED) expect(imported, `${name} is bundled no longer`).toContain(name);
  });
});

/** Names of the packages a source imports as values; `electron` and Node's own modules are not among them. */
function bareImports(source: string): readonly string[] {
  const matches = source.matchAll(/^\s*(?:(?:import|export)(?! type)[^'";]*? from |import |@import )'([^'./][^']*)'/gm);
  return [...matches]
    .map(([, specifier = '']) => specifier)
    .filter((specifier) => !specifier.startsWith('node:') && specifier !== 'electron' && !/^[a-z]+:/.test(specifier))
    .map((specifier) =>
      nameOf(specifier)
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/'),
    );
}
