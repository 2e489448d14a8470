import type { Study, StudyFigure, StudyPartAudit, StudyPrediction, StudyRow } from '../../../src-shared/model/study.ts';

/** A slide of a finished study with what heads that never saw it say of it. */
export interface JudgedSlide {
  readonly row: StudyRow;
  readonly prediction: StudyPrediction;
  /** Label with the highest probability. */
  readonly predicted: string;
  /** Probability of the slide's own label, 0..1. */
  readonly probabilityOfLabel: number;
}

/** Out-of-fold predictions, those that give the slide's own label the least first. */
export function mostWrongFirst({ plan, outcome }: Study): readonly JudgedSlide[] {
  if (outcome === null) return [];
  const rows = new Map(plan.rows.map((row) => [row.slideId, row]));
  const judged = outcome.predictions.flatMap((prediction) => {
    const row = rows.get(prediction.slideId);
    if (row === undefined) return [];
    const { probabilities } = prediction;
    const predicted = outcome.classes[probabilities.indexOf(Math.max(...probabilities))] ?? '';
    const probabilityOfLabel = probabilities[outcome.classes.indexOf(row.label)] ?? 0;
    return [{ row, prediction, predicted, probabilityOfLabel }];
  });
  return judged.sort((a, b) => a.probabilityOfLabel - b.probabilityOfLabel);
}

/** `0.91`, or a dash where the figure does not exist. */
export const figureText = (value: number | null): string => (value === null ? '–' : value.toFixed(3));

export function intervalText({ low, high }: Pick<StudyFigure, 'low' | 'high'>): string {
  return low === null || high === null ? '–' : `${low.toFixed(3)} to ${high.toFixed(3)}`;
}

/** `AUC 0.912 (0.850 to 0.971)`; null before the study is trained. */
export function aucText({ outcome }: Study): string | null {
  const auc = outcome?.figures.find(({ name }) => name === 'AUC');
  if (!auc) return null;
  return `AUC ${figureText(auc.value)}${auc.low === null ? '' : ` (${intervalText(auc)})`}`;
}

/** `24 slides, 20 patients: normal 12, tumour 12`. */
export function auditText({ slides, patients, sites, labels }: StudyPartAudit, patientsUnknown: boolean): string {
  const counts = Object.entries(labels).map(([label, count]) => `${label} ${count}`);
  const who = patientsUnknown ? '' : `, ${patients} patient${patients === 1 ? '' : 's'}`;
  const where = sites === 0 ? '' : `, ${sites} site${sites === 1 ? '' : 's'}`;
  return `${slides} slide${slides === 1 ? '' : 's'}${who}${where}: ${counts.join(', ')}`;
}
