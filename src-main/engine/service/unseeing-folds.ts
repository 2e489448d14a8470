import type { SlideId } from '../../../src-shared/model/ids.ts';
import type { SlidePrediction, Study } from '../../../src-shared/model/study.ts';

/** Which heads may judge a slide, and what that makes of the judgement. */
export interface UnseeingFolds {
  readonly seen: Exclude<SlidePrediction['seen'], 'tuned'>;
  /** Numbers of the folds; null = the heads of all of them. */
  readonly folds: ReadonlySet<number> | null;
}

/**
 * The folds whose heads were neither trained nor selected on a slide, nor on another of its patient: a fold may leave the
 * slide itself out and still hold its patient, as splits of other tools do. Where there is none, all heads judge, and the
 * judgement says that they saw it.
 */
export function unseeingFolds({ plan, outcome }: Study, slideId: SlideId): UnseeingFolds {
  const own = plan.rows.find((row) => row.slideId === slideId);
  if (own === undefined) return { seen: 'unseen', folds: null };
  const mates = plan.patientsUnknown ? [own] : plan.rows.filter(({ patient }) => patient === own.patient);
  const ids = new Set(mates.map((row) => row.slideId));
  const splits = outcome?.splits ?? [];
  const unseeing = splits.flatMap(({ train, validation }, fold) =>
    [...train, ...validation].some((id) => ids.has(id)) ? [] : [fold],
  );
  // Studies of the first version kept no splits, but what each fold was tested on.
  const tested = (outcome?.predictions ?? []).filter((row) => row.slideId === slideId).map(({ fold }) => fold);
  const folds = new Set(splits.length > 0 ? unseeing : tested);
  return folds.size > 0 ? { seen: 'tested', folds } : { seen: 'trained', folds: null };
}
