import type { StudyAudit, StudyPlan } from '../../../src-shared/model/study.ts';
import { engine } from '../../state/session.svelte.ts';

/** A plan as it can be started, what its splits hold, and slides that files of splits name but the study has not. */
export interface PlannedStudy {
  readonly plan: StudyPlan;
  readonly audit: StudyAudit;
  readonly unknown: readonly string[];
}

/** Matches files of splits to the slides of a plan where it takes its splits from files, and looks at the result. */
export async function plannedStudy(
  plan: StudyPlan,
  files: readonly { readonly name: string; readonly text: string }[],
): Promise<PlannedStudy> {
  if (plan.splitting.kind !== 'given' || files.length === 0)
    return { plan, audit: await engine.auditStudy(plan), unknown: [] };
  const { splitting, unknown } = await engine.readStudySplits(files, plan.rows);
  const matched = { ...plan, splitting };
  return { plan: matched, audit: await engine.auditStudy(matched), unknown };
}
