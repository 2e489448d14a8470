import type { StudyId } from '../../../src-shared/model/ids.ts';
import type { StudyCurve, StudyProgress } from '../../../src-shared/model/study.ts';
import type { EpochRecord } from '../learn/train-head.ts';
import type { StudyModel } from '../study/train-study.ts';

const TOLD_EVERY_MS = 300;

interface Running {
  readonly fold: number;
  readonly seed: number;
  readonly history: EpochRecord[];
}

/** The learning curves of studies under way, epoch by epoch. */
export class LiveProgress {
  readonly #tell: (id: StudyId) => void;
  readonly #running = new Map<StudyId, Running>();
  readonly #toldMs = new Map<StudyId, number>();

  constructor(tell: (id: StudyId) => void) {
    this.#tell = tell;
  }

  add(id: StudyId, fold: number, seed: number, record: EpochRecord): void {
    const known = this.#running.get(id);
    const same = known !== undefined && known.fold === fold && known.seed === seed && record.epoch > 1;
    if (same) known.history.push(record);
    else this.#running.set(id, { fold, seed, history: [record] });
    const now = performance.now();
    if (now - (this.#toldMs.get(id) ?? Number.NEGATIVE_INFINITY) < TOLD_EVERY_MS) return;
    this.#toldMs.set(id, now);
    this.#tell(id);
  }

  /** Curves of the stored heads and of the one that is trained now. */
  curves(id: StudyId, stored: readonly StudyModel[]): Pick<StudyProgress, 'curves' | 'headsDone'> {
    const running = this.#running.get(id);
    const open =
      running === undefined || stored.some(({ fold, seed }) => fold === running.fold && seed === running.seed)
        ? []
        : [curveOf({ ...running, bestEpoch: bestSoFar(running.history) })];
    return { curves: [...stored.map(curveOf), ...open], headsDone: stored.length };
  }

  end(id: StudyId): void {
    this.#running.delete(id);
    this.#toldMs.delete(id);
  }
}

function curveOf({
  fold,
  seed,
  bestEpoch,
  history,
}: Pick<StudyModel, 'fold' | 'seed' | 'bestEpoch' | 'history'>): StudyCurve {
  return {
    ...{ fold, seed, bestEpoch },
    trainLoss: history.map(({ trainLoss }) => trainLoss),
    validationLoss: history.map(({ validationLoss }) => validationLoss),
  };
}

function bestSoFar(history: readonly EpochRecord[]): number {
  const losses = history.map(({ validationLoss }) => validationLoss);
  return losses.indexOf(Math.min(...losses)) + 1;
}
