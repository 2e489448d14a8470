import type { RunId } from '../../../src-shared/model/ids.ts';
import type { StudyFigure, StudyOutcome, StudyPlan, TrainedOn } from '../../../src-shared/model/study.ts';
import type { FigureWithInterval } from '../study/study-figures.ts';
import type { StudyResult } from '../study/train-study.ts';
import { bySlide, casesOf, splitAudit } from './study-plan.ts';
import { versions } from './versions.ts';

/** Features of one slide of a study. */
export interface ExtractedSlide {
  readonly runId: RunId;
  readonly tileCount: number;
  readonly featureDim: number;
}

/** What a trained study is stored as. */
export function outcomeOf(plan: StudyPlan, slides: readonly ExtractedSlide[], result: StudyResult): StudyOutcome {
  const { classes, positive, splits } = result;
  const cases = casesOf(plan);
  return {
    classes,
    positiveClass: positive === null ? null : (classes[positive] ?? null),
    featureDim: slides[0]?.featureDim ?? 0,
    figures: result.figures.map(figureOf),
    predictions: result.predictions.flatMap(({ caseIndex, fold, probabilities, bySeed }) => {
      const [row, slide] = [plan.rows[caseIndex], slides[caseIndex]];
      if (row === undefined || slide === undefined) return [];
      return [{ slideId: row.slideId, runId: slide.runId, fold, probabilities, spread: spreadOf(bySeed) }];
    }),
    audits: splits.map((split) => splitAudit(cases, split)),
    splits: splits.map((split) => bySlide(plan, split)),
    thresholds: result.thresholds.map(({ ofMean }) => ofMean),
    curves: result.models.map(({ fold, seed, bestEpoch, history }) => ({
      ...{ fold, seed, bestEpoch },
      trainLoss: history.map(({ trainLoss }) => trainLoss),
      validationLoss: history.map(({ validationLoss }) => validationLoss),
    })),
    checks: result.checks,
    ...trainedOn(result.models),
    ...(result.evaluatedOn.length === 0 ? {} : { evaluatedOn: result.evaluatedOn }),
    external: [],
    versions: versions(),
    finishedAtMs: Date.now(),
  };
}

/** Every device that heads were trained on, once. */
function trainedOn(models: StudyResult['models']): Pick<StudyOutcome, 'trainedOn'> {
  const all = models.flatMap((model) => (model.trainedOn === undefined ? [] : [JSON.stringify(model.trainedOn)]));
  const each = [...new Set(all)].map((text) => JSON.parse(text) as TrainedOn);
  return each.length === 0 ? {} : { trainedOn: each };
}

/** Standard deviation of each class's probability over heads (rows); 0 for a single one. */
export function spreadOf(rows: readonly (readonly number[])[]): number[] {
  return Array.from(rows[0] ?? [], (_, c) => {
    const mean = rows.reduce((sum, row) => sum + (row[c] ?? 0), 0) / rows.length;
    const squares = rows.reduce((sum, row) => sum + ((row[c] ?? 0) - mean) ** 2, 0);
    return rows.length > 1 ? Math.sqrt(squares / (rows.length - 1)) : 0;
  });
}

const known = (value: number): number | null => (Number.isNaN(value) ? null : value);

export const figureOf = ({ name, value, byFold, interval, seedSd }: FigureWithInterval): StudyFigure => ({
  name,
  value: known(value),
  byFold: byFold.map(known),
  low: interval === null ? null : interval.low,
  high: interval === null ? null : interval.high,
  patientSd: interval === null ? null : known(interval.standardError),
  seedSd,
});
