import {
  type CurvePoint,
  meanCurve,
  precisionRecallCurve,
  type ReliabilityPoint,
  reliabilityPoints,
  rocCurve,
  type ScoredRow,
} from '../numeric/judgement-curves.ts';
import type { Study } from './study.ts';

/** Everything a study's plots are drawn from; scores of different folds never share a curve. */
export interface StudyPlots {
  /** The class the curves are of. */
  readonly of: string;
  readonly roc: readonly (readonly CurvePoint[])[];
  readonly meanRoc: readonly CurvePoint[];
  readonly precisionRecall: readonly (readonly CurvePoint[])[];
  readonly meanPrecisionRecall: readonly CurvePoint[];
  readonly reliability: readonly ReliabilityPoint[];
  /** confusion[truth][called]: judgements (a slide once for each repeat), the class of highest probability called. */
  readonly confusion: readonly (readonly number[])[];
}

/** The plots of a trained study for one class against the others; null before it is trained. */
export function studyPlots({ plan, outcome }: Study, ofClass: string): StudyPlots | null {
  if (outcome === null) return null;
  const { classes, predictions } = outcome;
  const column = classes.indexOf(ofClass);
  const labels = new Map(plan.rows.map(({ slideId, label }) => [slideId, label]));
  const rowsOf = (fold: number | null): readonly ScoredRow[] =>
    predictions
      .filter((prediction) => fold === null || prediction.fold === fold)
      .map(({ slideId, probabilities }) => ({
        truth: labels.get(slideId) === ofClass ? 1 : 0,
        score: probabilities[column] ?? 0,
      }));
  const folds = [...new Set(predictions.map(({ fold }) => fold))].sort((a, b) => a - b);
  const roc = folds.map((fold) => rocCurve(rowsOf(fold)));
  const precisionRecall = folds.map((fold) => precisionRecallCurve(rowsOf(fold)));
  const confusion = classes.map(() => classes.map(() => 0));
  for (const { slideId, probabilities } of predictions) {
    const row = confusion[classes.indexOf(labels.get(slideId) ?? '')];
    const called = probabilities.indexOf(Math.max(...probabilities));
    if (row !== undefined) row[called] = (row[called] ?? 0) + 1;
  }
  return {
    of: ofClass,
    ...{ roc, meanRoc: meanCurve(roc), precisionRecall, meanPrecisionRecall: meanCurve(precisionRecall) },
    reliability: reliabilityPoints(rowsOf(null)),
    confusion,
  };
}
