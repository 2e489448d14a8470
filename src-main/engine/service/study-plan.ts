import { AppError } from '../../../src-shared/errors.ts';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import {
  NOT_STEADIED,
  type StudyAudit,
  type StudyPartAudit,
  type StudyPlan,
  type StudySplit,
  type StudySplitAudit,
} from '../../../src-shared/model/study.ts';
import { ADAM } from '../graph/optimise/optimiser.ts';
import { TILE_PENALTIES } from '../learn/solve-tiles.ts';
import { type CaseSplitting, plannedSplits } from '../study/plan-splits.ts';
import { auditSplit, listed, type PartAudit, type Split, type StudyCase } from '../study/splits.ts';
import { classesOf, positiveOf, type StudyPlan as TrainingPlan } from '../study/train-study.ts';

/** Heads trained on shuffled labels at most, one a fold: enough to see whether a map depends on the labels. */
const SHUFFLED_HEADS = 3;

export const casesOf = (plan: StudyPlan): StudyCase[] =>
  plan.rows.map(({ slideId, slideName, patient, label, site }) => ({
    id: slideName || slideId,
    label,
    group: plan.patientsUnknown ? slideId : patient,
    site,
  }));

/** The plan as the trainer takes it. */
export function trainingPlan(plan: StudyPlan): TrainingPlan {
  const { pooling, gated, splitSeed, seeds, epochs, rate, keepBestBy, balanceClasses } = plan;
  const { featureDropout, tileDropout, entropyWeight, positiveClass, operatingRule, groupBy } = plan;
  const { tileWeight, solved = false, relabelled = false, ...steadying } = plan.steadying ?? NOT_STEADIED;
  return {
    head: { pooling, gated },
    regularisers: {
      ...{ featureDropout, tileDropout, entropyWeight, tileWeight },
      instanceWeight: pooling === 'clam-sb' ? 0.3 : 0,
    },
    training: {
      ...{ optimiser: ADAM, rate, clipNorm: null, epochs, keepBestBy, ...steadying },
      ...(solved && { penalties: TILE_PENALTIES }),
    },
    ...{ balanceClasses, splitSeed, seeds, positiveClass, operatingRule, groupBy },
    ...(relabelled && { relabelled }),
    splitting: caseSplitting(plan),
    shuffledHeads: SHUFFLED_HEADS,
  };
}

/** Trainings a plan stands for, the controls on shuffled labels left out. */
export function headCount(plan: StudyPlan): number {
  const { splitting } = plan;
  if (splitting.kind === 'none') return 0;
  const splits =
    splitting.kind === 'given'
      ? splitting.splits.length
      : splitting.repeats * (splitting.kind === 'folds' ? splitting.folds : 1);
  return splits * plan.seeds.length;
}

function caseSplitting({ splitting, rows }: StudyPlan): CaseSplitting {
  if (splitting.kind === 'none') {
    throw new AppError('InvalidRequest', 'This study is only there to validate others on.', {
      advice: 'Make a new one from it, with splits, to train it.',
    });
  }
  if (splitting.kind !== 'given') return splitting;
  const at = new Map(rows.map(({ slideId }, i) => [slideId, i]));
  const part = (ids: readonly SlideId[]): number[] =>
    ids.map((id) => {
      const index = at.get(id);
      if (index !== undefined) return index;
      throw new AppError('InvalidRequest', `The splits name a slide that is not in the study: ${id.slice(0, 12)}.`, {
        advice: 'Give it a label, or take it out of the splits.',
      });
    });
  const splits = splitting.splits.map(({ train, validation, test }) => ({
    train: part(train),
    validation: part(validation),
    test: part(test),
  }));
  return { kind: 'given', splits };
}

/** Throws InvalidRequest for a plan that cannot be trained, with what to change. */
export function checkedPlan(plan: StudyPlan): StudyPlan {
  const refuse = (message: string, advice: string): never => {
    throw new AppError('InvalidRequest', message, { advice });
  };
  const twice = plan.rows.find(({ slideId }, i) => plan.rows.findIndex((row) => row.slideId === slideId) !== i);
  if (twice !== undefined) refuse(`${twice.slideName} is in the study twice.`, 'Keep one row for each slide.');
  const unlabelled = plan.rows.filter(({ label }) => label.trim() === '').map(({ slideName }) => slideName);
  if (unlabelled.length > 0) {
    refuse(`These slides of the study have no label: ${listed(unlabelled)}.`, 'Give each a label, or take them out.');
  }
  const { splitting, seeds, epochs, operatingRule } = plan;
  const whole = (value: number, low: number, high: number): boolean =>
    Number.isInteger(value) && value >= low && value <= high;
  if (splitting.kind === 'folds' && !whole(splitting.folds, 3, 20)) {
    refuse('A study takes 3 to 20 folds.', 'Five are usual.');
  }
  if (splitting.kind === 'shares') {
    const shares = [splitting.train, splitting.validation, splitting.test];
    if (!shares.every((share) => share > 0 && share < 1)) {
      refuse('Training, validation and test parts must each get a share.', 'Usual are 0.7, 0.1 and 0.2.');
    }
  }
  if ('repeats' in splitting && !whole(splitting.repeats, 1, 50)) {
    refuse('Splits are repeated 1 to 50 times.', 'Once is usual; ten times for small cohorts.');
  }
  if (seeds.length === 0 || seeds.length > 20) refuse('A study takes 1 to 20 seeds.', 'Five are advised.');
  if (!whole(epochs, 1, 1000)) refuse('A study takes 1 to 1000 epochs.', 'Twenty are usual.');
  if (plan.steadying?.solved === true && plan.pooling !== 'mean') {
    refuse('Only the mean of tiles can be solved for.', 'Choose mean pooling, or a training in steps.');
  }
  if (plan.steadying?.relabelled === true && plan.splitting.kind !== 'none') {
    if (plan.steadying.solved !== true)
      refuse('Tiles are relabelled only where weights are solved for.', 'Choose both.');
    if (new Set(plan.rows.map(({ label }) => label)).size !== 2) {
      refuse(
        'Tiles can be relabelled in studies of two classes only.',
        'Choose another training, or two of the classes.',
      );
    }
  }
  const patience = plan.steadying?.patience ?? null;
  if (patience !== null && !whole(patience, 1, 1000)) {
    refuse('Training stops early after 1 to 1000 epochs without a better value.', 'Six are usual.');
  }
  if (operatingRule.kind === 'sensitivity' && !(operatingRule.atLeast > 0 && operatingRule.atLeast <= 1)) {
    refuse('The wanted sensitivity must lie between 0 and 1.', 'Usual are 0.9 and 0.95.');
  }
  return plan;
}

/**
 * What the splits of a plan hold, nothing trained.
 * @throws AppError InvalidRequest: one class, leakage, a class with too few patients, … named.
 */
export function auditOf(plan: StudyPlan): StudyAudit {
  const cases = casesOf(plan);
  if (plan.splitting.kind === 'none') {
    const classes = [...new Set(cases.map(({ label }) => label))].sort();
    return { classes, positiveClass: null, splits: [], validationTaken: false };
  }
  const classes = classesOf(cases);
  const positive = positiveOf(classes, plan.positiveClass);
  const { splits, validationTaken } = plannedSplits(cases, trainingPlan(plan));
  return {
    classes,
    positiveClass: positive === null ? null : (classes[positive] ?? null),
    splits: splits.map((split) => splitAudit(cases, split)),
    validationTaken,
  };
}

export function splitAudit(cases: readonly StudyCase[], split: Split): StudySplitAudit {
  const { train, validation, test } = auditSplit(cases, split);
  const named = split.train.length + split.validation.length + split.test.length;
  return { train: part(train), validation: part(validation), test: part(test), leftOut: cases.length - named };
}

const part = ({ cases, groups, sites, labels }: PartAudit): StudyPartAudit => ({
  slides: cases,
  patients: groups,
  ...{ sites, labels },
});

/** A split of case numbers by slide. */
export function bySlide(plan: StudyPlan, split: Split): StudySplit {
  const ids = (indices: readonly number[]): SlideId[] => indices.flatMap((i) => plan.rows[i]?.slideId ?? []);
  return { train: ids(split.train), validation: ids(split.validation), test: ids(split.test) };
}
