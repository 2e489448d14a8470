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
