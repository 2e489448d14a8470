import type { SlideId } from './ids.ts';
import type { StudyPlan, StudyRow, StudySplitting } from './study.ts';

/** What is changed of a slide of a study; an empty label takes it out. */
export type RowChange = Partial<Pick<StudyRow, 'label' | 'patient'>>;

/** `name, version 2` of `name`, `name, version 3` of that. */
export function nextVersion(name: string): string {
  const [, base = name, number] = /^(.*), version (\d+)$/.exec(name) ?? [];
  return `${base}, version ${Number(number ?? 1) + 1}`;
}

/**
 * A plan with other labels or patients; all else stays. What no longer holds goes with them: slides that are taken out
 * leave the given splits, and a positive class that no slide has any more is none.
 */
export function relabelledPlan(plan: StudyPlan, changes: ReadonlyMap<SlideId, RowChange>): StudyPlan {
  const rows = plan.rows
    .map((row) => ({ ...row, ...changes.get(row.slideId) }))
    .filter(({ label }) => label.trim() !== '');
  const left = new Set(rows.map(({ slideId }) => slideId));
  const known = plan.positiveClass !== null && rows.some(({ label }) => label === plan.positiveClass);
  return {
    ...plan,
    rows,
    splitting: withoutSlides(plan.splitting, left),
    positiveClass: known ? plan.positiveClass : null,
    patientsUnknown: plan.patientsUnknown && rows.every(({ slideId, patient }) => patient === slideId),
  };
}

function withoutSlides(splitting: StudySplitting, left: ReadonlySet<SlideId>): StudySplitting {
  if (splitting.kind !== 'given') return splitting;
  const kept = (ids: readonly SlideId[]): SlideId[] => ids.filter((id) => left.has(id));
  const splits = splitting.splits.map(({ train, validation, test }) => {
    return { train: kept(train), validation: kept(validation), test: kept(test) };
  });
  return { ...splitting, splits };
}
