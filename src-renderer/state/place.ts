import { asId, type ComparisonId, type SlideId, type StudyId } from '../../src-shared/model/ids.ts';

export const DESTINATIONS = ['library', 'viewer', 'archive', 'study', 'compare', 'backbones', 'settings'] as const;
export type Destination = (typeof DESTINATIONS)[number];
/** A study, or the form for a new one. */
export type StudyPlace = StudyId | 'new';
/** A comparison, or the form for a new one. */
export type ComparisonPlace = ComparisonId | 'new';

/**
 * A place in the application as an address: `#/library`, `#/viewer/SLIDE`, `#/study/STUDY`, `#/study/new`, `#/compare/COMPARISON`, `#/demo`, so that a reload
 * comes back to it.
 */
export interface Place {
  readonly destination: Destination;
  readonly slideId: SlideId | null;
  readonly study: StudyPlace | null;
  readonly comparison: ComparisonPlace | null;
  /** True for `#/demo`: open the demo slide. */
  readonly demo: boolean;
}

/** Reads the fragment of an address; anything unknown is the library. */
export function parsePlace(hash: string): Place {
  const [name = '', id] = hash.replace(/^#\/?/, '').split('/');
  if (name === 'demo') return { destination: 'viewer', slideId: null, study: null, comparison: null, demo: true };
  const destination = DESTINATIONS.find((known) => known === name) ?? 'library';
  const known = id && /^[\w-]{1,128}$/.test(id) ? id : null;
  const slideId = destination === 'viewer' && known ? asId<SlideId>(known) : null;
  return {
    ...{ destination, slideId, demo: false },
    study: destination === 'study' ? studyPlace(known) : null,
    comparison:
      destination !== 'compare' || known === null ? null : known === 'new' ? known : asId<ComparisonId>(known),
  };
}

function studyPlace(id: string | null): StudyPlace | null {
  return id === null || id === 'new' ? id : asId<StudyId>(id);
}

/** @param id the slide of the viewer, or the study; destinations that take none leave it out. */
export function formatPlace(destination: Destination, id: SlideId | StudyPlace | ComparisonPlace | null): string {
  return (destination === 'viewer' || destination === 'study' || destination === 'compare') && id
    ? `#/${destination}/${id}`
    : `#/${destination}`;
}
