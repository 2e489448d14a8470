import { asId, type SlideId } from '../../src-shared/model/ids.ts';

export const DESTINATIONS = ['library', 'viewer', 'backbones', 'settings'] as const;
export type Destination = (typeof DESTINATIONS)[number];

/** A place in the application as an address: `#/library`, `#/viewer/SLIDE`, `#/demo`, so that a reload comes back to it. */
export interface Place {
  readonly destination: Destination;
  readonly slideId: SlideId | null;
  /** True for `#/demo`: open the demo slide. */
  readonly demo: boolean;
}

/** Reads the fragment of an address; anything unknown is the library. */
export function parsePlace(hash: string): Place {
  const [name = '', id] = hash.replace(/^#\/?/, '').split('/');
  if (name === 'demo') return { destination: 'viewer', slideId: null, demo: true };
  const destination = DESTINATIONS.find((known) => known === name) ?? 'library';
  const slideId = destination === 'viewer' && id && /^[\w-]{1,128}$/.test(id) ? asId<SlideId>(id) : null;
  return { destination, slideId, demo: false };
}

export function formatPlace(destination: Destination, slideId: SlideId | null): string {
  return destination === 'viewer' && slideId ? `#/viewer/${slideId}` : `#/${destination}`;
}

/** Where the user is, and which dialog of the frame is open. */
class Navigation {
  destination = $state<Destination>('library');
  dialog = $state<'open' | 'keys' | 'report' | null>(null);
  /** What the open dialog is looking for. */
  openKind = $state<'slide' | 'model' | 'any'>('any');

  go(destination: Destination, slideId: SlideId | null = null): void {
    this.destination = destination;
    history.replaceState(null, '', formatPlace(destination, slideId));
  }

  openFiles(kind: 'slide' | 'model' | 'any'): void {
    this.openKind = kind;
    this.dialog = 'open';
  }
}

export const navigation = new Navigation();
