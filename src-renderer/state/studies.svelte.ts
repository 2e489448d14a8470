import type { StudyId } from '../../src-shared/model/ids.ts';
import type { Run } from '../../src-shared/model/run.ts';
import type { Study, StudyOutcome, StudyPlan, StudyProgress } from '../../src-shared/model/study.ts';
import { backbones } from './backbones.svelte.ts';
import { KeptRecords } from './kept-records.svelte.ts';
import { engine } from './session.svelte.ts';

export type TrainedStudy = Study & { readonly outcome: StudyOutcome };

/** The studies this store knows, newest first. */
class Studies extends KeptRecords<StudyId, Study> {
  /** Of the study that was followed last. */
  progress = $state.raw<(StudyProgress & { readonly id: StudyId }) | null>(null);
  #following: StudyId | null = null;
  #again = false;

  constructor() {
    super(() => engine.listStudies());
  }

  async start(plan: StudyPlan): Promise<StudyId> {
    const { studyId } = await engine.startStudy(plan);
    await this.load();
    return studyId;
  }

  /** Keeps a study without training it. */
  async create(plan: StudyPlan): Promise<StudyId> {
    const { id } = await engine.createStudy(plan);
    await this.load();
    return id;
  }

  /** Changes a study that is not trained. */
  async update(id: StudyId, plan: StudyPlan): Promise<StudyId> {
    await engine.updateStudy(id, plan);
    await this.load();
    return id;
  }

  /** Throws InvalidRequest where the two studies share slides or patients. */
  async validate(id: StudyId, otherId: StudyId): Promise<void> {
    await engine.validateStudy(id, otherId);
  }

  async train(id: StudyId): Promise<void> {
    await engine.trainStudy(id);
    await this.load();
  }

  /** The learning curves of a study under way, as often as the engine says that there is more. */
  async follow(id: StudyId): Promise<void> {
    if (this.#following === id) {
      this.#again = true;
      return;
    }
    this.#following = id;
    try {
      const progress = await engine.studyProgress(id);
      this.progress = { id, ...progress };
    } catch {
      // The study was removed, or the connection is gone: its page says so.
    }
    this.#following = null;
    if (!this.#again) return;
    this.#again = false;
    await this.follow(id);
  }

  async remove(id: StudyId): Promise<void> {
    await engine.removeStudy(id);
    await this.load();
  }

  /** Trained studies whose heads take the features of this run: same backbone, same cut. */
  fitting(run: Pick<Run, 'backboneId' | 'cut' | 'provenance'>): readonly TrainedStudy[] {
    const ownCut = backbones.get(run.backboneId)?.defaultCut ?? run.cut;
    return this.list.filter(isTrained).filter(({ plan, outcome }) => {
      if (plan.backboneId !== run.backboneId || (plan.cut ?? ownCut) !== run.cut) return false;
      return outcome.featureDim === run.provenance.featureDim;
    });
  }
}

export const isTrained = (study: Study): study is TrainedStudy => study.outcome !== null;

export const studies = new Studies();
