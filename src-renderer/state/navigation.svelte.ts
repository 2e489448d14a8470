import type { OpenKind } from '../../src-shared/api/shell.ts';
import type { FileGrant, SlideId } from '../../src-shared/model/ids.ts';
import { type ComparisonPlace, type Destination, formatPlace, type StudyPlace } from './place.ts';

/** What the open dialog was asked for, and has been given. */
export interface Chosen {
  readonly grant: FileGrant;
  readonly name: string;
}

/** Where the user is, and which dialog of the frame is open. */
class Navigation {
  destination = $state<Destination>('library');
  /** Which page of the studies is open; null = the list. Kept while the user is elsewhere. */
  study = $state<StudyPlace | null>(null);
  /** Which page of the comparisons is open; null = the list. Kept while the user is elsewhere. */
  comparison = $state<ComparisonPlace | null>(null);
  dialog = $state<'open' | 'keys' | 'report' | null>(null);
  /** What the open dialog is looking for. */
  openKind = $state<OpenKind>('any');
  #answer: ((chosen: Chosen | null) => void) | null = null;

  go(destination: Destination, slideId: SlideId | null = null): void {
    this.destination = destination;
    history.replaceState(null, '', formatPlace(destination, this.#idOf(destination, slideId)));
  }

  #idOf(destination: Destination, slideId: SlideId | null): SlideId | StudyPlace | ComparisonPlace | null {
    if (destination === 'compare') return this.comparison;
    return destination === 'study' ? this.study : slideId;
  }

  goToComparison(comparison: ComparisonPlace | null): void {
    this.comparison = comparison;
    this.go('compare');
  }

  goToStudy(study: StudyPlace | null): void {
    this.study = study;
    this.go('study');
  }

  openFiles(kind: OpenKind): void {
    this.openKind = kind;
    this.dialog = 'open';
  }

  /** Opens the dialog to have one thing chosen, which is handed back; null when the user cancels. */
  askFor(kind: OpenKind): Promise<Chosen | null> {
    this.#answer?.(null);
    this.openFiles(kind);
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  /** True where what is chosen goes to the one who asked, and is not opened. */
  get isAsked(): boolean {
    return this.#answer !== null;
  }

  /** Ends the dialog; `chosen` goes to the one who asked. */
  closeDialog(chosen: Chosen | null = null): void {
    this.dialog = null;
    this.#answer?.(chosen);
    this.#answer = null;
  }
}

export const navigation = new Navigation();
