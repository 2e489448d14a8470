import {
  DEFAULT_STUDY_TRAINING,
  type Study,
  type StudyOutcome,
  type StudyPlan,
} from '../../../src-shared/model/study.ts';

/** A plan of the first version, which knew folds only. */
type OldPlan = Partial<StudyPlan> & { readonly folds?: number };

/** A stored study as this version has it: what older versions did not know is filled in with what they did. */
export function upgradedStudy(study: Study): Study {
  const plan: OldPlan = study.plan;
  if (plan.splitting !== undefined) return study;
  const { folds, ...kept } = plan;
  return {
    ...study,
    plan: {
      ...DEFAULT_STUDY_TRAINING,
      ...(kept as StudyPlan),
      rows: (kept.rows ?? []).map((row) => ({ ...row, site: row.site ?? '', runId: row.runId ?? null })),
      splitting: { kind: 'folds', folds: folds ?? 5, repeats: 1 },
    },
    outcome: study.outcome === null ? null : upgradedOutcome(study.outcome),
  };
}

function upgradedOutcome(outcome: StudyOutcome): StudyOutcome {
  const old: Partial<StudyOutcome> = outcome;
  const { classes } = outcome;
  return {
    ...outcome,
    positiveClass: old.positiveClass ?? (classes.length === 2 ? (classes[1] ?? null) : null),
    figures: outcome.figures.map((figure) => ({ ...figure, patientSd: figure.patientSd ?? null })),
    predictions: outcome.predictions.map((prediction) => ({
      ...prediction,
      spread: prediction.spread ?? [],
    })),
    audits: outcome.audits.map(({ train, validation, test, leftOut }) => ({
      train: { ...train, sites: train.sites ?? 0 },
      validation: { ...validation, sites: validation.sites ?? 0 },
      test: { ...test, sites: test.sites ?? 0 },
      leftOut: leftOut ?? 0,
    })),
    splits: old.splits ?? [],
    thresholds: old.thresholds ?? [],
    checks: old.checks ?? null,
    external: old.external ?? [],
  };
}
