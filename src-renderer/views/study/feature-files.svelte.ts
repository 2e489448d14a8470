import type { FeatureFolder, FeatureSet, ImportedFeatures } from '../../../src-shared/model/feature-bag.ts';
import { asId, type FileGrant, type SlideId } from '../../../src-shared/model/ids.ts';
import type { StudyPlan } from '../../../src-shared/model/study.ts';
import { engine } from '../../state/session.svelte.ts';
import { shown } from '../../state/toasts.svelte.ts';

/** Stands for a slide whose features are not in the store yet. */
const PENDING = 'file:';
export const isPending = (id: SlideId): boolean => id.startsWith(PENDING);

/** A folder of feature files that the next study is made from. */
class FeatureFiles {
  folder = $state.raw<(FeatureFolder & { readonly grant: FileGrant }) | null>(null);
  reading = $state(false);
  /** Which set, by its place; unknown = the largest. */
  place = $state('');
  /** Files put into the store so far; null = none are being put there. */
  done = $state<number | null>(null);

  readonly set: FeatureSet | null = $derived(
    this.folder === null
      ? null
      : (this.folder.sets.find(({ place }) => place === this.place) ?? this.folder.sets[0] ?? null),
  );

  /** The slides the files are named after. */
  readonly slides: readonly { readonly id: SlideId; readonly name: string }[] = $derived(
    (this.set?.files ?? []).map(({ name }) => ({ id: asId<SlideId>(`${PENDING}${name}`), name })),
  );

  async read(grant: FileGrant): Promise<void> {
    this.reading = true;
    this.folder = null;
    await shown(async () => {
      this.folder = { ...(await engine.readFeatureFolder(grant)), grant };
    });
    this.reading = false;
  }

  /**
   * Puts the files of a plan into the store, one after another, and names them in its rows. Files that are there already
   * take no time. Throws what the first file that cannot be used says.
   */
  async putInto(plan: StudyPlan): Promise<StudyPlan> {
    const { folder, set } = this;
    if (folder === null || set === null) return plan;
    this.done = 0;
    try {
      const made = new Map<SlideId, ImportedFeatures>();
      for (const { slideId, slideName } of plan.rows) {
        const name = slideId.slice(PENDING.length);
        const request = { folder: folder.grant, place: set.place, name, slideId: null, encoder: set.encoder };
        made.set(slideId, await named(slideName, () => engine.importFeatureBag(request)));
        this.done++;
      }
      const [first] = made.values();
      if (first === undefined) return plan;
      const rows = plan.rows.map((row) => {
        const found = made.get(row.slideId);
        if (found === undefined) return row;
        const { slideId, slideName, runId } = found;
        // A slide without a patient is a patient of its own, under whatever name it goes.
        return { ...row, slideId, slideName, runId, patient: row.patient === row.slideId ? slideId : row.patient };
      });
      return { ...plan, rows, backboneId: first.backboneId, cut: first.cut };
    } finally {
      this.done = null;
    }
  }

  clear(): void {
    this.folder = null;
    this.place = '';
  }
}

/** What fails names the slide. */
async function named<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error) error.message = `${name}: ${error.message}`;
    throw error;
  }
}

export const featureFiles = new FeatureFiles();
