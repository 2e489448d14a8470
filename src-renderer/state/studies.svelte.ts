import type { AppError } from '../../src-shared/errors.ts';
import type { StudyId } from '../../src-shared/model/ids.ts';
import type { Run } from '../../src-shared/model/run.ts';
import type { Study, StudyOutcome, StudyPlan } from '../../src-shared/model/study.ts';
import { backbones } from './backbones.svelte.ts';
import { engine } from './session.svelte.ts';
import { asAppError } from './toasts.svelte.ts';

export type TrainedStudy = Study & { readonly outcome: StudyOutcome };

/** The studies this store knows, newest first. */
class Studies {
  list = $state.raw<readonly Study[]>([]);
  status = $state<'loading' | 'ready' | 'failed'>('loading');
  error = $state.raw<AppError | null>(null);
  #request = 0;

  async load(): Promise<void> {
    const request = ++this.#request;
    try {
      const list = await engine.listStudies();
      if (request !== this.#request) return;
      this.list = list;
      this.status = 'ready';
      this.error = null;
    } catch (error) {
      if (request !== this.#request) return;
      this.error = asAppError(error);
      if (this.list.length === 0) this.status = 'failed';
    }
  }

  get(id: StudyId): Study | null {
    return this.list.find((study) => study.id === id) ?? null;
  }

  async start(plan: StudyPlan): Promise<StudyId> {
    const { studyId } = await engine.startStudy(plan);
    await this.load();
    return studyId;
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
