import type { OpenKind } from '../../src-shared/api/shell.ts';
import type { FolderEntry } from '../../src-shared/model/folder.ts';

/** A name inside a folder of the engine's machine, in that machine's own spelling. */
export function joinPath(folder: string, name: string): string {
  const separator = folder.includes('\\') && !folder.includes('/') ? '\\' : '/';
  return folder.endsWith(separator) ? folder + name : folder + separator + name;
}

/** Folders always; files only of the kind that is looked for; nothing whose name begins with a dot. */
export function isShown(entry: FolderEntry, kind: OpenKind): boolean {
  if (entry.name.startsWith('.')) return false;
  if (entry.kind === 'folder') return true;
  if (kind === 'any') return entry.kind === 'slide' || entry.kind === 'model';
  if (kind === 'folder') return entry.kind === 'slide';
  if (kind === 'features' || kind === 'feature-folder') return /\.(h5|pt)$/i.test(entry.name);
  if (kind === 'mirror-folder') return entry.kind === 'model';
  if (kind === 'annotated-folder') return /\.(png|jpe?g|tiff?|geojson|json|csv|tsv)$/i.test(entry.name);
  if (kind === 'task-folder') return /\.(png|jpe?g|tiff?)$/i.test(entry.name);
  return kind === 'image' ? /\.(png|jpe?g)$/i.test(entry.name) : entry.kind === kind;
}

let last: string | null = null;

/** The folder the dialog was last in during this visit; null = the home folder. */
export function startFolder(): string | null {
  return last;
}

export function rememberFolder(path: string): void {
  last = path;
}
