import type {
  Study,
  StudyFigure,
  StudyPartAudit,
  StudyPlan,
  StudyPrediction,
  StudyRow,
  TrainedOn,
} from '../../../src-shared/model/study.ts';

/** What heads were trained on and why not on something faster, for one row. */
export function trainedOnText(trained: readonly TrainedOn[]): string {
  const devices = [...new Set(trained.map(({ device }) => device))];
  const refused = trained.flatMap((each) => each.refused.map(({ name, reason }) => `${name} was not used: ${reason}`));
  const named = devices.join(' and ');
  return refused.length === 0 ? named : [`${named}.`, ...new Set(refused)].join(' ');
}

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

/** `5 folds, 3 times`, `70 / 10 / 20 %`, `10 splits of splits_0.csv and 9 more`. */
export function splittingText({ splitting }: Pick<StudyPlan, 'splitting'>): string {
  if (splitting.kind === 'none') return 'No splits: only to validate others on';
  const times = splitting.kind !== 'given' && splitting.repeats > 1 ? `, ${splitting.repeats} times` : '';
  if (splitting.kind === 'folds') return `${splitting.folds} folds${times}`;
  if (splitting.kind === 'given') {
    const count = splitting.splits.length;
    return `${count} ${count === 1 ? 'split' : 'splits'}: ${splitting.from}`;
  }
  const percent = [splitting.train, splitting.validation, splitting.test].map((share) => Math.round(100 * share));
  return `${percent.join(' / ')} % for training, validation and test${times}`;
}
