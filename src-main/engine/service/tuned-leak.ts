import { AppError } from '../../../src-shared/errors.ts';
import type { FineTuningRecord } from '../../../src-shared/model/fine-tune.ts';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import type { StudyPlan, StudyRow } from '../../../src-shared/model/study.ts';
import { plannedSplits } from '../study/plan-splits.ts';
import { listed } from '../study/splits.ts';
import { bySlide, casesOf, trainingPlan } from './study-plan.ts';

/** A fine-tuned backbone's past: what it was trained on, and who these slides are of, as far as it is known. */
export interface TunedPast {
  readonly tuned: FineTuningRecord;
  /** Rows of the study it was fine-tuned in; empty where that is gone or named no patients. */
  readonly rows: readonly StudyRow[];
}

/**
 * Refuses a plan that tests on a slide, or another slide of a patient, that its backbone was fine-tuned on (trained, or
 * used to choose the epoch): whatever the heads are, their features have seen the label.
 *
 * @throws AppError InvalidRequest naming the slides.
 */
export function refuseTestingOnTuned(plan: StudyPlan, past: TunedPast): void {
  if (plan.splitting.kind === 'none') return;
  const { splits } = plannedSplits(casesOf(plan), trainingPlan(plan));
  const tested = new Set(splits.flatMap((split) => bySlide(plan, split).test));
  const rows = plan.rows.filter(({ slideId }) => tested.has(slideId));
  refuse(rows, plan, past, {
    message: 'The backbone was fine-tuned on slides or patients that this study would test',
    advice: `Test on others, keep the split it was fine-tuned on ("${past.tuned.studyName}"), or use the backbone it began as.`,
  });
}

/**
 * The same for slides that a study is validated on.
 *
 * @param other the study whose slides are judged.
 * @throws AppError InvalidRequest naming the slides.
 */
export function refuseValidatingOnTuned(plan: StudyPlan, other: StudyPlan, past: TunedPast): void {
  refuse(
    other.rows,
    other,
    { ...past, rows: [...past.rows, ...patientsOf(plan)] },
    {
      message: "The first study's backbone was fine-tuned on slides or patients of the second",
      advice: 'Validate on slides that had no part in the fine-tuning.',
    },
  );
}

/** All slides that a backbone was trained or chosen on, in this fine-tuning and those before it. */
export function slidesOf({ trainSlides, validationSlides, earlierSlides }: FineTuningRecord): readonly SlideId[] {
  return [...new Set([...earlierSlides, ...trainSlides, ...validationSlides])];
}

/** Whether a backbone was trained or chosen on a slide, or on another one of its patient as far as patients are known. */
export function hasSeen(plan: StudyPlan, past: TunedPast, slideId: SlideId): boolean {
  const { slides, patients } = seenBy(plan, past);
  const own = [...past.rows, ...patientsOf(plan)].filter((row) => row.slideId === slideId);
  return slides.has(slideId) || own.some(({ patient }) => patients.has(patient));
}

/** Slides a backbone was tuned on, and whose they are. */
function seenBy(plan: StudyPlan, { tuned, rows }: TunedPast) {
  const slides: ReadonlySet<SlideId> = new Set(slidesOf(tuned));
  const own = [...rows, ...patientsOf(plan)].filter(({ slideId }) => slides.has(slideId));
  return { slides, patients: new Set(own.map(({ patient }) => patient)) };
}

function refuse(
  judged: readonly StudyRow[],
  plan: StudyPlan,
  past: TunedPast,
  { message, advice }: { readonly message: string; readonly advice: string },
): void {
  const { slides, patients } = seenBy(plan, past);
  const known = (patient: string): boolean => !plan.patientsUnknown && patients.has(patient);
  const seen = judged.filter(({ slideId, patient }) => slides.has(slideId) || known(patient));
  if (seen.length === 0) return;
  const names = seen.map(({ slideName, slideId }) => slideName || slideId.slice(0, 12));
  throw new AppError('InvalidRequest', `${message}: ${listed(names)}.`, { advice, detail: names.join(', ') });
}

const patientsOf = ({ rows, patientsUnknown }: StudyPlan): readonly StudyRow[] => (patientsUnknown ? [] : rows);
