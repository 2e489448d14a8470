import { readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, extname, join, resolve } from 'node:path';
import { AppError } from '../../../src-shared/errors.ts';
import type { FolderEntry, FolderListing } from '../../../src-shared/model/folder.ts';
import { SLIDE_EXTENSIONS } from '../slide/formats.ts';
import type { Grants } from './grants.ts';

const MODEL_EXTENSIONS = new Set(['.onnx', '.safetensors', '.pth', '.pt', '.ckpt', '.tar']);
const TABLE_EXTENSIONS = new Set(['.csv', '.tsv']);
/** More entries than this are cut off: a listing is for choosing, not for archiving. */
const MAX_ENTRIES = 5000;

/**
 * Lists a folder for the open dialog of hosts without native dialogs: folders first, then files by name, hidden ones
 * left out. `path` null means the home folder. Throws FileUnreadable.
 */
export async function browseFolder(path: string | null, grants: Grants): Promise<FolderListing> {
  const folder = resolve(path ?? homedir());
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => !name.startsWith('.')).slice(0, MAX_ENTRIES);
  } catch (cause) {
    throw new AppError('FileUnreadable', 'This folder cannot be read.', {
      advice: 'Check that it exists and that you may read it.',
      cause,
    });
  }
  const entries = await Promise.all(names.map((name) => describeEntry(folder, name, grants)));
  const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });
  const parent = dirname(folder);
  return {
    path: folder,
    parent: parent === folder ? null : parent,
    grant: grants.give(folder),
    entries: entries
      .filter((entry) => entry !== null)
      .sort((a, b) => Number(b.kind === 'folder') - Number(a.kind === 'folder') || byName.compare(a.name, b.name)),
  };
}

async function describeEntry(folder: string, name: string, grants: Grants): Promise<FolderEntry | null> {
  const path = join(folder, name);
  const found = await stat(path).catch(() => null);
  if (found === null || !(found.isDirectory() || found.isFile())) return null;
  const fileKind = kindOf(extname(name).toLowerCase());
  return {
    name,
    kind: found.isDirectory() ? 'folder' : fileKind,
    sizeBytes: found.isFile() ? found.size : 0,
    grant: grants.give(path),
  };
}

function kindOf(extension: string): FolderEntry['kind'] {
  if (SLIDE_EXTENSIONS.has(extension)) return 'slide';
  if (MODEL_EXTENSIONS.has(extension)) return 'model';
  return TABLE_EXTENSIONS.has(extension) ? 'table' : 'other';
}
