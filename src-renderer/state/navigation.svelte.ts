import type { SlideId } from '../../src-shared/model/ids.ts';
import { type Destination, formatPlace, type StudyPlace } from './place.ts';

/** Where the user is, and which dialog of the frame is open. */
class Navigation {
  destination = $state<Destination>('library');
  /** Which page of the studies is open; null = the list. Kept while the user is elsewhere. */
  study = $state<StudyPlace | null>(null);
  dialog = $state<'open' | 'keys' | 'report' | null>(null);
  /** What the open dialog is looking for. */
  openKind = $state<'slide' | 'model' | 'any'>('any');

  go(destination: Destination, slideId: SlideId | null = null): void {
    this.destination = destination;
    history.replaceState(null, '', formatPlace(destination, destination === 'study' ? this.study : slideId));
  }

  goToStudy(study: StudyPlace | null): void {
    this.study = study;
    this.go('study');
  }

  openFiles(kind: 'slide' | 'model' | 'any'): void {
    this.openKind = kind;
    this.dialog = 'open';
  }
}

export const navigation = new Navigation();
