import {
  encoderOfStudy,
  encoderToAsk,
  type FilePrediction,
  predictFile,
} from '../../../src-shared/api/predict-features.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { FeatureFolder, FeatureSet } from '../../../src-shared/model/feature-bag.ts';
import type { StudyId } from '../../../src-shared/model/ids.ts';
import type { Chosen } from '../../state/navigation.svelte.ts';
import { engine } from '../../state/session.svelte.ts';
import type { TrainedStudy } from '../../state/studies.svelte.ts';
import { shown } from '../../state/toasts.svelte.ts';

/** Feature files that the heads of a study are asked about, and what they said; of one study at a time. */
class FilePredictions {
  study = $state.raw<StudyId | null>(null);
  folder = $state.raw<(FeatureFolder & { readonly chosen: Chosen }) | null>(null);
  /** Which set, by its place; unknown = the largest. */
  place = $state('');
  /** What the user says made the files; null = what they or their folder say. */
  told = $state<string | null>(null);
  /** What made the features of the study. */
  own = $state<string | null>(null);
  reading = $state(false);
  /** Null = nothing is being asked. */
  asking = $state.raw<{ readonly done: number; readonly total: number } | null>(null);
  answers = $state.raw<readonly FilePrediction[]>([]);
  #stopped = false;

  readonly set: FeatureSet | null = $derived(
    this.folder === null
      ? null
      : (this.folder.sets.find(({ place }) => place === this.place) ?? this.folder.sets[0] ?? null),
  );

  /** Why the files cannot be asked about as they are; null where they can. */
  readonly problem: AppError | null = $derived.by(() => {
    if (this.set === null) return null;
    try {
      encoderToAsk(this.set, this.told, this.own);
      return null;
    } catch (error) {
      return error instanceof AppError ? error : null;
    }
  });

  /** Reads what was chosen; files that leave no question open are asked about at once. */
  async read(study: TrainedStudy, chosen: Chosen): Promise<void> {
    this.clear();
    this.study = study.id;
    this.reading = true;
    await shown(async () => {
      this.own = await encoderOfStudy(engine, study);
      this.folder = { ...(await engine.readFeatureFolder(chosen.grant)), chosen };
    });
    this.reading = false;
    if (this.folder?.sets.length === 1 && this.problem === null) await this.ask(study);
  }

  async ask(study: TrainedStudy): Promise<void> {
    const { folder, set } = this;
    if (folder === null || set === null || this.problem !== null) return;
    const picked = { folder: folder.chosen.grant, set, encoder: encoderToAsk(set, this.told, this.own) };
    this.#stopped = false;
    this.answers = [];
    this.asking = { done: 0, total: set.files.length };
    await shown(async () => {
      for (const [i, { name }] of set.files.entries()) {
        if (this.#stopped || this.study !== study.id) break;
        const answer = await predictFile(engine, study, picked, name);
        this.answers = [...this.answers, answer];
        this.asking = { done: i + 1, total: set.files.length };
      }
    });
    this.asking = null;
  }

  stop(): void {
    this.#stopped = true;
  }

  clear(): void {
    this.stop();
    this.study = null;
    this.folder = null;
    this.place = '';
    this.told = null;
    this.own = null;
    this.answers = [];
  }
}

export const filePredictions = new FilePredictions();
