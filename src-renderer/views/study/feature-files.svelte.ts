import { AppError } from '../../../src-shared/errors.ts';
import {
  type FeatureFolder,
  type FeatureSet,
  type ImportedFeatures,
  unfitFeatures,
} from '../../../src-shared/model/feature-bag.ts';
import { asId, type FileGrant, type SlideId } from '../../../src-shared/model/ids.ts';
import type { StudyPlan } from '../../../src-shared/model/study.ts';
import { engine } from '../../state/session.svelte.ts';
import { asAppError, shown } from '../../state/toasts.svelte.ts';

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

  /** What the files say of themselves that no study can be made of, a sentence each; `labelled` are the slides it takes. */
  problems(labelled: ReadonlySet<SlideId>): readonly string[] {
    const files = this.set?.files ?? [];
    return unfitFeatures(files.filter(({ name }) => labelled.has(asId<SlideId>(`${PENDING}${name}`))));
  }

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
   * take no time. Throws an AppError that names every file that cannot be used.
   */
  async putInto(plan: StudyPlan): Promise<StudyPlan> {
    const { folder, set } = this;
    if (folder === null || set === null) return plan;
    this.done = 0;
    try {
      const made = new Map<SlideId, ImportedFeatures>();
      const failed: Failed[] = [];
      for (const { slideId, slideName } of plan.rows) {
        const name = slideId.slice(PENDING.length);
        const request = { folder: folder.grant, place: set.place, name, slideId: null, encoder: set.encoder };
        try {
          made.set(slideId, await engine.importFeatureBag(request));
        } catch (error) {
          failed.push({ slideName, error: asAppError(error) });
        }
        this.done++;
      }
      if (failed.length > 0) throw failure(failed);
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

interface Failed {
  readonly slideName: string;
  readonly error: AppError;
}

/** One error for all files that cannot be used: slides of one reason are named together. */
function failure(failed: readonly Failed[]): AppError {
  const reasons = [...new Set(failed.map(({ error }) => error.message))];
  const parts = reasons.map((reason) => {
    const names = failed.flatMap(({ slideName, error }) => (error.message === reason ? [slideName] : []));
    return `${names.join(', ')}: ${reason}`;
  });
  const [first] = failed;
  return new AppError(first?.error.code ?? 'InvalidRequest', parts.join(' '), {
    advice:
      reasons.length === 1 && first?.error.advice
        ? first.error.advice
        : 'Take these slides out of the table, or extract their features again.',
  });
}

export const featureFiles = new FeatureFiles();
