import type { CatalogueItem } from '../../../src-shared/model/backbone.ts';

/** Where the files of the catalogue come from. */
export function placeKind(mirror: string): 'servers' | 'folder' | 'address' {
  if (mirror === '') return 'servers';
  return /^https?:\/\//.test(mirror) ? 'address' : 'folder';
}

/** What that means for the network. */
export function describePlace(mirror: string): string {
  switch (placeKind(mirror)) {
    case 'servers':
      return 'Each entry names the server it would connect to.';
    case 'address':
      return `Downloads connect to ${new URL(mirror).host} only, and ask it for NAME/FILE.`;
    default:
      return 'Files are copied from this folder. No network is used.';
  }
}

/** What the button of an entry does, with the server it contacts. */
export function describeAction({ server }: CatalogueItem, begun: boolean): string {
  if (server === '') return 'Import from the folder';
  return begun ? `Go on from ${server}` : `Download from ${server}`;
}
