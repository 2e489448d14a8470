import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ShippedPackage, shippedPackages } from './shipped-packages.ts';

/**
 * `node src-main/shell/packaging/collect-licences.ts`: writes the licences of every package whose code the application
 * contains to resources/licences/third-party.txt. A test fails when the file is not what this would write.
 */
const ROOT = join(import.meta.dirname, '..', '..', '..');
const FOLDER = join(ROOT, 'resources', 'licences');
const RULE = '='.repeat(100);

/** Electron, Chromium and Node bring their own texts with the runtime; electron-builder puts them beside the program. */
const HEADING = `The licences of the software Hyaline is made of.

Electron, Chromium and Node.js: see LICENSE.electron.txt and LICENSES.chromium.html beside the program.
Packages built for one platform only share the licence of their family; each is listed by its name.
`;

/** Standard texts stand in where a package names its licence and brings no file; they lie in `texts/`. */
const STANDARD_TEXTS: Readonly<Record<string, readonly string[]>> = {
  MIT: ['MIT'],
  'Apache-2.0': ['Apache-2.0'],
  'LGPL-3.0-or-later': ['LGPL-3.0-or-later', 'GPL-3.0'],
  'Apache-2.0 AND LGPL-3.0-or-later': ['Apache-2.0', 'LGPL-3.0-or-later', 'GPL-3.0'],
};

interface LicenceText {
  readonly text: string;
  /** `name version (licence)` of every package under this text. */
  readonly packages: string[];
}

/** Licence and notice files of an installed package, joined; null where it has none or is not installed here. */
function ownText(projectFolder: string, { path }: ShippedPackage): string | null {
  const folder = join(projectFolder, path);
  if (!existsSync(folder)) return null;
  const names = readdirSync(folder).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
  if (names.length === 0) return null;
  return names
    .toSorted()
    .map((name) => readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n').trim())
    .join('\n\n');
}

function standardText(shipped: ShippedPackage): string | null {
  const names = STANDARD_TEXTS[shipped.licence ?? ''];
  return names === undefined
    ? null
    : names.map((name) => readFileSync(join(FOLDER, 'texts', `${name}.txt`), 'utf8').trim()).join('\n\n');
}

/**
 * The licence texts of all shipped packages, each text once. The result does not depend on the platform it is made on:
 * a package made for one platform gets the standard text even where it is installed.
 * @throws when a package has neither a text of its own nor a licence with a standard text
 */
export function collectLicences(projectFolder: string): string {
  const texts = new Map<string, LicenceText>();
  for (const shipped of shippedPackages(projectFolder)) {
    const ofOnePlatform = /-(darwin|linux|linuxmusl|win32)|openbsd|freebsd/.test(shipped.name);
    const text = (ofOnePlatform ? null : ownText(projectFolder, shipped)) ?? standardText(shipped);
    if (text === null) throw new Error(`${shipped.name} ${shipped.version}: no licence text (${shipped.licence})`);
    const key = text.replaceAll(/\s+/g, ' ');
    const entry = texts.get(key) ?? { text, packages: [] };
    entry.packages.push(`${shipped.name} ${shipped.version} (${shipped.licence ?? 'see below'})`);
    texts.set(key, entry);
  }
  const parts = [...texts.values()].map(({ text, packages }) => `${RULE}\n${packages.join('\n')}\n\n${text}\n`);
  return [HEADING, ...parts].join('\n');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(join(FOLDER, 'third-party.txt'), collectLicences(ROOT));
}
